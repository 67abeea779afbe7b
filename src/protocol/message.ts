/** The parts of an AMQP message that a request is made of, free of any client library's types. */
export interface RequestMessage {
  readonly content: Buffer;
  readonly properties: {
    readonly messageId?: unknown;
    readonly correlationId?: unknown;
    readonly contentType?: unknown;
    readonly contentEncoding?: unknown;
    /** Milliseconds, as a decimal string. */
    readonly expiration?: unknown;
    /** Seconds since 1970. Some producers send milliseconds. */
    readonly timestamp?: unknown;
    readonly type?: unknown;
    readonly headers?: Readonly<Record<string, unknown>>;
  };
}
