import type { MessageProperties, Options } from 'amqplib';
import { InferenceError } from '../inference/inference.errors.js';
import { JSON_LENGTH_HEADER } from '../protocol/binary-tensors.js';
import { RESOLVED_MODEL_HEADER } from '../protocol/request.decoder.js';
import { Delivery } from './delivery.js';
import { headerBytes } from './header-bytes.js';
import { historyOf, isHistory, PUT_ASIDE_HEADER } from './history.js';

/** The broker acts on these, or the worker does, or they count with them: on a copy they would do harm. */
const BROKER_HEADERS = ['CC', 'BCC', 'x-delivery-count', 'x-acquired-count', PUT_ASIDE_HEADER];

/** Of those that are taken over into the reason. */
const MAX_HEADER_LENGTH = 100;
const MAX_MODEL_BYTES = 1000;

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
    'x-first-failed-at': historyOf(headers).firstFailedAt ?? new Date().toISOString(),
    ...modelHeaders(headers, model),
    ...displacedHeaders(delivery),
    ...jsonLengthHeader(headers[JSON_LENGTH_HEADER]),
  };
}

/**
 * The model, where it is known. One that was asked for by a name that no copy has room for stays one that nobody knows:
 * without it the request would be another model's.
 */
function modelHeaders(headers: Record<string, unknown>, model: string | undefined): Record<string, unknown> {
  const asked = headers['x-model'];
  if (model !== undefined) {
    const isNoted = !asked || asked === headers[RESOLVED_MODEL_HEADER];
    return { 'x-model': model, ...(isNoted ? { [RESOLVED_MODEL_HEADER]: model } : {}) };
  }
  if (asked === undefined || (headerBytes('x-model', asked) ?? Infinity) <= MAX_MODEL_BYTES) return {};
  return { 'x-model': typeof asked === 'string' ? `${asked.slice(0, MAX_HEADER_LENGTH)}…` : '(no text)' };
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

/** The properties of a message that a copy of it may have: without those on which broker or workers would act. */
export function copiedProperties(
  properties: MessageProperties,
): Options.Publish & { headers: Record<string, unknown> } {
  const headers = Object.entries(properties.headers ?? {}).filter(
    ([name]) => !BROKER_HEADERS.includes(name) && !isHistory(name),
  );
  const kept = KEPT_PROPERTIES.map((name) => [name, properties[name] as unknown] as const).filter(
    ([, value]) => value !== undefined,
  );
  return { ...Object.fromEntries(kept), headers: Object.fromEntries(headers) };
}
