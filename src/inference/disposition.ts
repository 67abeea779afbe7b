import { ErrorCode, InferenceError } from './inference.errors.js';

/** What becomes of a delivery that failed: `dead-letter` with its reason, or `drop` when the broker has it again. */
export type Disposition = 'dead-letter' | 'drop';

/** The one table in which a failure becomes an AMQP action. */
const DISPOSITIONS: Readonly<Record<ErrorCode, Disposition>> = {
  INVALID_JSON: 'dead-letter',
  INVALID_REQUEST: 'dead-letter',
  UNSUPPORTED_ENCODING: 'dead-letter',
  TOO_LARGE: 'dead-letter',
  UNKNOWN_MODEL: 'dead-letter',
  UNKNOWN_INPUT: 'dead-letter',
  MISSING_INPUT: 'dead-letter',
  SHAPE_MISMATCH: 'dead-letter',
  DATATYPE_MISMATCH: 'dead-letter',
  DEADLINE_EXCEEDED: 'dead-letter',
  PREPROCESS_FAILED: 'dead-letter',
  INFERENCE_FAILED: 'dead-letter',
  CRASH_SUSPECT: 'dead-letter',
  REPLY_UNROUTABLE: 'dead-letter',
  INTERNAL: 'dead-letter',
};

export function dispositionOf(error: InferenceError, delivery: { readonly isStale: boolean }): Disposition {
  return delivery.isStale ? 'drop' : DISPOSITIONS[error.code];
}
