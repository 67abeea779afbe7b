import { InferenceError } from './inference.errors.js';

/** What becomes of a delivery that failed. */
export type Disposition =
  /** The broker has it again: it is another's, or will come again. */
  | { readonly action: 'drop' }
  | { readonly action: 'dead-letter' }
  /** Comes again after `delayMs`, then as attempt `attempts` + 1. */
  | { readonly action: 'retry'; readonly delayMs: number; readonly attempts: number };

/** What the decision depends on, besides the error. */
export interface FailedDelivery {
  readonly isStale: boolean;
  /** This one included; 1 on the first. */
  readonly attempts: number;
}

export interface RetryPolicy {
  /** Waits before the second, third … attempt; ms. */
  readonly delaysMs: readonly number[];
  /** Whether failures are nobody's own now: then none uses up an attempt. */
  readonly isOutage: boolean;
  /** Until the request's deadline, in ms; none is `Infinity`. */
  readonly remainingMs: number;
}

/**
 * The one place in which a failure becomes an AMQP action: what may succeed later is retried, as often as there are
 * delays and as long as the deadline is not over by then; the rest is dead.
 */
export function dispositionOf(
  error: InferenceError,
  { isStale, attempts }: FailedDelivery,
  { delaysMs, isOutage, remainingMs }: RetryPolicy,
): Disposition {
  if (isStale) return { action: 'drop' };
  const delayMs = isOutage ? delaysMs.at(-1) : delaysMs[attempts - 1];
  if (!error.retryable || delayMs === undefined || delayMs >= remainingMs) return { action: 'dead-letter' };
  return { action: 'retry', delayMs, attempts: isOutage ? attempts - 1 : attempts };
}
