import { describe, expect, it } from '@jest/globals';
import { dispositionOf } from './disposition.js';
import { asInferenceError, ErrorCode, InferenceError } from './inference.errors.js';

const RETRYABLE: Record<ErrorCode, boolean> = {
  INVALID_JSON: false,
  INVALID_REQUEST: false,
  UNSUPPORTED_ENCODING: false,
  TOO_LARGE: false,
  UNKNOWN_MODEL: false,
  UNKNOWN_INPUT: false,
  MISSING_INPUT: false,
  SHAPE_MISMATCH: false,
  DATATYPE_MISMATCH: false,
  DEADLINE_EXCEEDED: false,
  PREPROCESS_FAILED: true,
  INFERENCE_FAILED: true,
  CRASH_SUSPECT: false,
  REPLY_UNROUTABLE: false,
  INTERNAL: true,
};

describe.each(Object.entries(RETRYABLE))('%s', (code, retryable) => {
  const error = new InferenceError(code as ErrorCode, 'reason');

  it(retryable ? 'may succeed later' : 'never succeeds later', () => {
    expect(error.retryable).toBe(retryable);
  });

  it('goes to the dead letters, unless the broker has the message again', () => {
    expect(dispositionOf(error, { isStale: false })).toBe('dead-letter');
    expect(dispositionOf(error, { isStale: true })).toBe('drop');
  });
});

describe('asInferenceError', () => {
  it('keeps an error that says what went wrong', () => {
    const error = new InferenceError('TOO_LARGE', 'reason');
    expect(asInferenceError(error, 'PREPROCESS_FAILED', 'preprocessing failed')).toBe(error);
  });

  it('gives any other the code of where it came from, and keeps it as the cause', () => {
    const cause = new Error('socket hang up');
    const error = asInferenceError(cause, 'PREPROCESS_FAILED', 'preprocessing failed');
    expect(error).toMatchObject({
      code: 'PREPROCESS_FAILED',
      message: 'preprocessing failed: socket hang up',
      cause,
    });
    expect(asInferenceError('text', 'INTERNAL', 'it failed').message).toBe('it failed: text');
  });
});
