import { InferenceError } from './inference.errors.js';

/** What becomes of a delivery that failed. */
export type Disposition =
  /** The broker has it again: it is another's, or will come again. */
  | { readonly action: 'drop' }
  | { readonly action: 'dead-letter' }
  /** Comes again after `delayMs`. */
  | ({ readonly action: 'retry'; readonly delayMs: number } & UncountedAttempts);

/** Attempts that use up no delay of those that other failures wait for. */
export interface UncountedAttempts {
  /** They failed in an outage. */
  readonly excusedAttempts: number;
  /** They came to a worker without the model. */
  readonly unknownModelAttempts: number;
}

/** What the decision depends on, besides the error. */
export interface FailedDelivery extends UncountedAttempts {
  readonly isStale: boolean;
  /** This one included; 1 on the first. */
  readonly attempts: number;
}

export interface RetryPolicy {
  /** Waits before the second, third … attempt; ms. */
  readonly delaysMs: readonly number[];
  /** Whether failures are nobody's own now: then the attempt is excused. */
  readonly isOutage: boolean;
  /** Until the request's deadline, in ms; none is `Infinity`. */
  readonly remainingMs: number;
}

/** While a model is rolled out, a request may come as often to workers that do not have it yet. */
const UNKNOWN_MODEL_RETRIES = 4;

/**
 * The one place in which a failure becomes an AMQP action: what may succeed later is retried, as often as there are
 * delays and as long as the deadline is not over by then; the rest is dead. What fails in an outage, or because
 * RESULTS_QUEUE is full, uses up no delay. A model that is unknown here may be known to the worker that takes the request next:
 * such attempts are counted apart, and each waits the first delay.
 */
export function dispositionOf(
  error: InferenceError,
  { isStale, attempts, excusedAttempts, unknownModelAttempts }: FailedDelivery,
  { delaysMs, isOutage, remainingMs }: RetryPolicy,
): Disposition {
  if (isStale) return { action: 'drop' };
  const isUnknownModel = error.code === 'UNKNOWN_MODEL';
  const isExcused = !isUnknownModel && (isOutage || (error.code === 'REPLY_REFUSED' && !error.isOwnFault));
  const counted = attempts - excusedAttempts - unknownModelAttempts;
  let delayMs = isExcused ? delaysMs.at(-1) : delaysMs[counted - 1];
  if (isUnknownModel) delayMs = unknownModelAttempts < UNKNOWN_MODEL_RETRIES ? delaysMs[0] : undefined;
  if (!error.retryable || delayMs === undefined || delayMs >= remainingMs) return { action: 'dead-letter' };
  return {
    action: 'retry',
    delayMs,
    excusedAttempts: excusedAttempts + (isExcused ? 1 : 0),
    unknownModelAttempts: unknownModelAttempts + (isUnknownModel ? 1 : 0),
  };
}
