import type { ConsumeMessage, MessagePropertyHeaders } from 'amqplib';
import { JSON_LENGTH_HEADER } from '../protocol/binary-tensors.js';
import { RESOLVED_MODEL_HEADER } from '../protocol/request.decoder.js';
import { isHistory, PUT_ASIDE_HEADER } from './history.js';

/** What a copy that waits must keep, also where there is no room for its other headers; and its history. */
const KEPT: ReadonlySet<string> = new Set([
  'x-error-code',
  'x-error-message',
  'x-attempts',
  'x-first-failed-at',
  'x-model',
  RESOLVED_MODEL_HEADER,
  'x-expiration',
  'x-user-id',
  JSON_LENGTH_HEADER,
]);

/** Whether a message is a copy of a request for whose letter there was no room. */
export function isPutAside(headers: MessagePropertyHeaders): boolean {
  return headers[PUT_ASIDE_HEADER] !== undefined;
}

/**
 * Whether a message is a copy of a request that has its error answer, and only waits to be dead-lettered. A producer
 * who writes these headers has its own request dead-lettered, with what it wrote as the reason.
 */
export function isToBeFiled({ properties: { headers } }: ConsumeMessage): boolean {
  return headers?.[PUT_ASIDE_HEADER] === 'dead-letter' && typeof headers['x-error-code'] === 'string';
}

/** Ms until the next attempt of a copy that waits for it; at most those of the longest delay. 0: it is due. */
export function retryDueIn({ properties: { headers } }: ConsumeMessage, longestMs: number): number {
  const at: unknown = headers?.[PUT_ASIDE_HEADER];
  const waitMs = typeof at === 'number' ? at - Date.now() : 0;
  return waitMs > 0 && waitMs <= longestMs ? waitMs : 0;
}

/** What was written to a copy when it was put aside. */
export function keptHeaders({ properties: { headers } }: ConsumeMessage): Record<string, unknown> {
  const entries = Object.entries(headers ?? {});
  return Object.fromEntries(entries.filter(([name]) => KEPT.has(name) || isHistory(name)));
}
