/** An answer to a request, for a queue by way of the default exchange; persistent. */
export interface Answer {
  readonly queue: string;
  /** JSON. */
  readonly body: string;
  /** The bytes of tensors that follow it. */
  readonly tensors?: Buffer;
  readonly type: 'inference.result' | 'inference.error';
  readonly messageId: string;
  readonly correlationId?: string;
  readonly traceparent?: string;
  /** Whether the broker is to return it when that queue does not exist. */
  readonly mandatory: boolean;
}

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const FRAME_END = 0xce;
/** Type, channel, size and end of a frame. */
export const FRAME_OVERHEAD = 8;
const CLASS_BASIC = 60;
const METHOD_PUBLISH = 40;
const MANDATORY = 1;
const PERSISTENT = 2;
/** Bits of the properties that are present, in their order on the wire. */
const CONTENT_TYPE = 1 << 15;
const HEADERS = 1 << 13;
const DELIVERY_MODE = 1 << 12;
const CORRELATION_ID = 1 << 10;
const MESSAGE_ID = 1 << 7;
const TYPE = 1 << 5;
const LONG_STRING = 0x53;
/** Everything but the texts, rounded up. */
const FIXED_BYTES = 128;

/** The most bytes that an answer takes on the wire, in frames and all. */
export function maxBytesOf({ queue, body, type, messageId, correlationId, traceparent }: Answer): number {
  const texts = queue.length + type.length + messageId.length;
  const more = (correlationId?.length ?? 0) + (traceparent?.length ?? 0);
  return FIXED_BYTES + 3 * (texts + more + body.length); // UTF-8 has up to 3 bytes for a UTF-16 unit
}

/**
 * Writes an answer as `basic.publish`, its header and one body frame (AMQP 0-9-1, 4.2), which is what amqplib would
 * write after building three objects and four buffers for it.
 *
 * @param target has room for {@link maxBytesOf}, from `offset` on
 * @param channel the channel's number
 * @param answer its body is all JSON and fits in one frame, its queue and ids in 255 bytes each
 * @returns the offset after it
 */
export function writeAnswer(target: Buffer, offset: number, channel: number, answer: Answer): number {
  let at = target.writeUInt32BE(
    (CLASS_BASIC << 16) | METHOD_PUBLISH,
    startFrame(target, offset, METHOD, channel),
  );
  at = target.writeUInt16BE(0, at); // ticket
  target[at++] = 0; // the default exchange
  at = shortString(target, at, answer.queue);
  target[at++] = answer.mandatory ? MANDATORY : 0;
  at = endFrame(target, offset, at);

  const header = at;
  const { correlationId, traceparent } = answer;
  at = startFrame(target, header, HEADER, channel);
  at = target.writeUInt32BE(CLASS_BASIC << 16, at); // and a weight of 0
  const size = (at = target.writeUInt32BE(0, at)); // the upper half of the body's size; the lower follows
  const present = CONTENT_TYPE | DELIVERY_MODE | MESSAGE_ID | TYPE;
  at = target.writeUInt16BE(
    present | (traceparent === undefined ? 0 : HEADERS) | (correlationId === undefined ? 0 : CORRELATION_ID),
    size + 4,
  );
  at = shortString(target, at, 'application/json');
  if (traceparent !== undefined) at = headerTable(target, at, traceparent);
  target[at++] = PERSISTENT;
  if (correlationId !== undefined) at = shortString(target, at, correlationId);
  at = shortString(target, at, answer.messageId);
  at = shortString(target, at, answer.type);
  at = endFrame(target, header, at);

  const body = at;
  at = startFrame(target, body, BODY, channel);
  const bytes = target.write(answer.body, at);
  target.writeUInt32BE(bytes, size);
  return bytes === 0 ? body : endFrame(target, body, at + bytes); // one without bytes has no frame
}

function startFrame(target: Buffer, at: number, type: number, channel: number): number {
  target[at] = type;
  return target.writeUInt16BE(channel, at + 1) + 4;
}

function endFrame(target: Buffer, start: number, end: number): number {
  target.writeUInt32BE(end - start - FRAME_OVERHEAD + 1, start + 3);
  target[end] = FRAME_END;
  return end + 1;
}

/** A length of one byte, then UTF-8. */
function shortString(target: Buffer, at: number, text: string): number {
  const bytes = target.write(text, at + 1);
  target[at] = bytes;
  return at + 1 + bytes;
}

function headerTable(target: Buffer, at: number, traceparent: string): number {
  const start = at + 4;
  let end = shortString(target, start, 'traceparent');
  target[end++] = LONG_STRING;
  const bytes = target.write(traceparent, end + 4);
  target.writeUInt32BE(bytes, end);
  end += 4 + bytes;
  target.writeUInt32BE(end - start, at);
  return end;
}
