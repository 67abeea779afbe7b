import type { Options } from 'amqplib';
import { deadLetterProperties } from './dead-letter.js';
import { Delivery } from './delivery.js';
import { CRASHES_HEADER } from './suspicion.js';

/** In these the broker writes where a message has expired or died. A retry is neither, and each would make them longer. */
const DEATH_HEADER = /^x-(death$|first-death-|last-death-)/;

/**
 * What a request carries along to its next attempt, as headers.
 *
 * @param reason of the failure, as headers
 * @param excusedAttempts attempts so far that failed in an outage
 * @param deadline on the clock of `performance.now()`; it becomes a moment, as the time to it goes on meanwhile
 */
export function retryHeaders(
  reason: Record<string, unknown>,
  excusedAttempts: number,
  deadline?: number,
): Record<string, unknown> {
  return {
    ...reason,
    ...(excusedAttempts === 0 ? {} : { 'x-attempts-excused': excusedAttempts }),
    ...(deadline === undefined
      ? {}
      : { 'x-deadline': Date.now() + Math.round(deadline - performance.now()) }),
  };
}

/**
 * The properties of a request that is tried again: those of the message as received, and the headers added. What was
 * held against it is not: it has been at work without a crash.
 */
export function retryProperties(delivery: Delivery, added: Record<string, unknown>): Options.Publish {
  const properties = deadLetterProperties(delivery, added);
  const headers = Object.entries(properties.headers as Record<string, unknown>);
  return {
    ...properties,
    headers: Object.fromEntries(
      headers.filter(([name]) => !DEATH_HEADER.test(name) && name !== CRASHES_HEADER),
    ),
  };
}
