import type { MessageProperties, Options } from 'amqplib';
import { InferenceError } from '../inference/inference.errors.js';
import { JSON_LENGTH_HEADER } from '../protocol/binary-tensors.js';
import { Delivery } from './delivery.js';

/** On a copy for which there was no room: `dead-letter`, where it is to go, or the moment of its next attempt, in ms since 1970. */
export const PUT_ASIDE_HEADER = 'x-put-aside';

/** The broker acts on these, or the worker does, or they count with them: on a copy they would do harm. */
const BROKER_HEADERS = ['CC', 'BCC', 'x-delivery-count', 'x-acquired-count', PUT_ASIDE_HEADER];

/** Of those that are taken over into the reason. */
const MAX_HEADER_LENGTH = 100;

const KEPT_PROPERTIES = [
  'contentType',
  'contentEncoding',
  'correlationId',
  'replyTo',
  'messageId',
  'timestamp',
  'type',
  'appId',
  'priority',
] as const;

/** Why a message is dead, as headers; and what its body cannot be read without. */
export function reasonHeaders(
  delivery: Delivery,
  error: InferenceError,
  model?: string,
): Record<string, unknown> {
  const { headers = {} } = delivery.message.properties;
  return {
    'x-error-code': error.code,
    'x-error-message': error.message,
    'x-attempts': delivery.attempts,
    'x-first-failed-at': shortText(headers['x-first-failed-at']) ?? new Date().toISOString(),
    ...(model === undefined ? {} : { 'x-model': model }),
    ...displacedHeaders(delivery),
    ...jsonLengthHeader(headers[JSON_LENGTH_HEADER]),
  };
}

/** Of a body with binary tensors. */
function jsonLengthHeader(length: unknown): Record<string, unknown> {
  const isPlain = Number.isSafeInteger(length) || shortText(length) !== undefined;
  return isPlain ? { [JSON_LENGTH_HEADER]: length } : {};
}

/** A header is the producer's, who may have written anything; these must be such as can be written again. */
function shortText(header: unknown): string | undefined {
  return typeof header === 'string' && header.length <= MAX_HEADER_LENGTH ? header : undefined;
}

/** What the broker would act on as a property of a copy: drop it, or refuse it for its user. */
export function displacedHeaders(delivery: Delivery): Record<string, unknown> {
  const { expiration, userId } = delivery.message.properties;
  return {
    ...(expiration === undefined ? {} : { 'x-expiration': expiration as unknown }),
    ...(userId === undefined ? {} : { 'x-user-id': userId as unknown }),
  };
}

/** The properties of a dead letter: those of the message as received, and the reason in headers. */
export function deadLetterProperties(delivery: Delivery, reason: Record<string, unknown>): Options.Publish {
  const { headers, ...kept } = copiedProperties(delivery.message.properties);
  return { ...kept, headers: { ...headers, ...reason } };
}

/** The properties of a message that a copy of it may have: without those on which the broker would act. */
export function copiedProperties(
  properties: MessageProperties,
): Options.Publish & { headers: Record<string, unknown> } {
  const headers = Object.entries(properties.headers ?? {}).filter(([name]) => !BROKER_HEADERS.includes(name));
  const kept = KEPT_PROPERTIES.map((name) => [name, properties[name] as unknown]).filter(canBeWritten);
  return { ...Object.fromEntries(kept), headers: Object.fromEntries(headers) };
}

/** AMQP has room for 255 bytes. What came in as bytes that are no UTF-8 has become longer by being read. */
function canBeWritten([, value]: readonly unknown[]): boolean {
  return typeof value !== 'string' || Buffer.byteLength(value) <= 255;
}
