import type { Options } from 'amqplib';
import { deadLetterProperties } from './dead-letter.js';
import { Delivery } from './delivery.js';

/** In these the broker writes where a message has expired or died. A retry is neither, and each would make them longer. */
const DEATH_HEADER = /^x-(death|first-death-|last-death-)/;

/**
 * The properties of a request that is tried again later: as received, with the reason of the failure in headers, like
 * a dead letter, and its deadline as a moment: the time to it goes on while the request waits.
 *
 * @param attempts those that count so far
 * @param deadline on the clock of `performance.now()`
 */
export function retryProperties(
  delivery: Delivery,
  reason: Record<string, unknown>,
  attempts: number,
  deadline?: number,
): Options.Publish & { readonly headers: Record<string, unknown> } {
  const { headers = {}, ...properties } = deadLetterProperties(delivery, reason);
  const kept = Object.entries(headers as Record<string, unknown>).filter(
    ([name]) => !DEATH_HEADER.test(name),
  );
  return {
    ...properties,
    headers: {
      ...Object.fromEntries(kept),
      'x-attempts': attempts,
      ...(deadline === undefined
        ? {}
        : { 'x-deadline': Date.now() + Math.round(deadline - performance.now()) }),
    },
  };
}
