import type { Options } from 'amqplib';
import { Answer } from './answer.frames.js';

/** Any other message for a queue, by way of the default exchange. */
export interface Letter {
  readonly queue: string;
  readonly content: Buffer;
  readonly options: Options.Publish;
}

export type Outgoing = Answer | Letter;

/** What a message is published for. Once that is stale, the broker has it again, and this publish is not wanted. */
export interface Purpose {
  readonly isStale: boolean;
}

/** A message whose fate is not known yet. */
export interface Pending {
  readonly message: Outgoing;
  readonly purpose: Purpose;
  /** When a full queue refused it first, on the clock of `performance.now()`. */
  refusedAt: number | undefined;
  /** It was returned as unroutable before. */
  isReturned: boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** An answer that is too large for one frame, as amqplib takes it. */
export function letterOf({ queue, body, traceparent, mandatory, ...properties }: Answer): Letter {
  const options = { ...properties, mandatory, persistent: true, contentType: 'application/json' };
  return {
    queue,
    content: Buffer.from(body),
    options: traceparent === undefined ? options : { ...options, headers: { traceparent } },
  };
}

export function messageIdOf(message: Outgoing): string | undefined {
  return 'body' in message ? message.messageId : message.options.messageId;
}
