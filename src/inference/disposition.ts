import { InferenceError } from './inference.errors.js';

/** What becomes of a delivery that failed. */
export type Disposition =
  /** The broker has it again: it is another's, or will come again. */
  | { readonly action: 'drop' }
  | { readonly action: 'dead-letter' }
  /** Comes again after `delayMs`. */
  | { readonly action: 'retry'; readonly delayMs: number; readonly excusedAttempts: number };

/** What the decision depends on, besides the error. */
export interface FailedDelivery {
  readonly isStale: boolean;
  /** This one included; 1 on the first. */
  readonly attempts: number;
  /** Those among them that failed in an outage: they use up no delay. */
  readonly excusedAttempts: number;
}

export interface RetryPolicy {
  /** Waits before the second, third … attempt; ms. */
  readonly delaysMs: readonly number[];
  /** Whether failures are nobody's own now: then the attempt is excused. */
  readonly isOutage: boolean;
  /** Until the request's deadline, in ms; none is `Infinity`. */
  readonly remainingMs: number;
}

/**
 * The one place in which a failure becomes an AMQP action: what may succeed later is retried, as often as there are
 * delays and as long as the deadline is not over by then; the rest is dead. What fails in an outage, or because
 * RESULTS_QUEUE is full, uses up no delay.
 */
export function dispositionOf(
  error: InferenceError,
  { isStale, attempts, excusedAttempts }: FailedDelivery,
  { delaysMs, isOutage, remainingMs }: RetryPolicy,
): Disposition {
  if (isStale) return { action: 'drop' };
  const isExcused = isOutage || (error.code === 'REPLY_REFUSED' && !error.isOwnFault);
  const delayMs = isExcused ? delaysMs.at(-1) : delaysMs[attempts - excusedAttempts - 1];
  if (!error.retryable || delayMs === undefined || delayMs >= remainingMs) return { action: 'dead-letter' };
  return { action: 'retry', delayMs, excusedAttempts: excusedAttempts + (isExcused ? 1 : 0) };
}
