import type { Options } from 'amqplib';
import { JSON_LENGTH_HEADER } from '../protocol/binary-tensors.js';
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
  /** Connections that were lost before it was confirmed. */
  losses: number;
  resolve(): void;
  reject(error: Error): void;
}

/** An answer as amqplib takes it: one that is too large for one frame, or has bytes behind its JSON. */
export function letterOf({ queue, body, tensors, traceparent, mandatory, ...properties }: Answer): Letter {
  const json = Buffer.from(body);
  const headers = {
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tensors ? { [JSON_LENGTH_HEADER]: json.length } : {}),
  };
  const contentType = tensors ? 'application/octet-stream' : 'application/json';
  const options = { ...properties, mandatory, persistent: true, contentType };
  return {
    queue,
    content: tensors ? Buffer.concat([json, tensors]) : json,
    options: Object.keys(headers).length === 0 ? options : { ...options, headers },
  };
}

export function messageIdOf(message: Outgoing): string | undefined {
  return 'body' in message ? message.messageId : message.options.messageId;
}

/** Of the body. */
export function bytesOf(message: Outgoing): number {
  return 'body' in message
    ? Buffer.byteLength(message.body) + (message.tensors?.length ?? 0)
    : message.content.length;
}

/**
 * Whether it is one of RabbitMQ's pseudo-queues for direct replies. RabbitMQ 3 returns every mandatory message to them as
 * unroutable, although it delivers it; and a direct reply is at most once anyway.
 */
export function isDirectReply(queue: string): boolean {
  return queue.startsWith('amq.rabbitmq.reply-to.');
}
