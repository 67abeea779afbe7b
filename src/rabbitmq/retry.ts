import type { Options } from 'amqplib';
import { InferenceError } from '../inference/inference.errors.js';
import { deadLetterProperties, reasonHeaders } from './dead-letter.js';
import { Delivery } from './delivery.js';
import { historyHeaders } from './history.js';

/** The attempts so far that have used up no delay. */
export interface FailedAttempts {
  readonly excusedAttempts: number;
  readonly unknownModelAttempts: number;
}

/**
 * What a request carries along to its next attempt.
 *
 * @param about the model, where it is known, and the deadline on the clock of `performance.now()`
 */
export function retryHeaders(
  delivery: Delivery,
  error: InferenceError,
  { excusedAttempts, unknownModelAttempts }: FailedAttempts,
  about: { readonly model?: string; readonly deadline?: number },
): Record<string, unknown> {
  const reason = reasonHeaders(delivery, error, about.model);
  const history = historyHeaders({
    excusedAttempts,
    unknownModelAttempts,
    attempts: delivery.attempts,
    // Where it was at work without a crash, nothing is held against it any more.
    crashes: error.code === 'UNKNOWN_MODEL' ? delivery.suspicion.crashes : 0,
    firstFailedAt: String(reason['x-first-failed-at']),
    deadline: about.deadline,
  });
  return { ...reason, ...history };
}

/** In these the broker writes where a message has expired or died. A copy has done neither, and each would make it longer. */
const DEATH_HEADER = /^x-(death$|first-death-|last-death-)/;

/** The properties of a copy that goes back to the request queue: those of the message as received, and the headers added. */
export function retryProperties(delivery: Delivery, added: Record<string, unknown>): Options.Publish {
  const properties = deadLetterProperties(delivery, added);
  const headers = Object.entries(properties.headers as Record<string, unknown>);
  return {
    ...properties,
    headers: Object.fromEntries(headers.filter(([name]) => !DEATH_HEADER.test(name))),
  };
}
