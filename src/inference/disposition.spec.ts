import { describe, expect, it } from '@jest/globals';
import { Disposition, dispositionOf } from './disposition.js';
import { asInferenceError, ErrorCode, InferenceError } from './inference.errors.js';

const RETRYABLE: Record<ErrorCode, boolean> = {
  INVALID_JSON: false,
  INVALID_REQUEST: false,
  UNSUPPORTED_ENCODING: false,
  TOO_LARGE: false,
  UNKNOWN_MODEL: true,
  UNKNOWN_INPUT: false,
  MISSING_INPUT: false,
  SHAPE_MISMATCH: false,
  DATATYPE_MISMATCH: false,
  DEADLINE_EXCEEDED: false,
  PREPROCESS_FAILED: true,
  INFERENCE_FAILED: true,
  CRASH_SUSPECT: false,
  REPLY_UNROUTABLE: false,
  REPLY_REFUSED: true,
  INTERNAL: true,
};

function disposition(error: InferenceError, delivery = {}, policy = {}): Disposition {
  return dispositionOf(
    error,
    { isStale: false, attempts: 1, excusedAttempts: 0, unknownModelAttempts: 0, ...delivery },
    { delaysMs: [10, 500], isOutage: false, remainingMs: Infinity, ...policy },
  );
}

describe.each(Object.entries(RETRYABLE))('%s', (code, retryable) => {
  const error = new InferenceError(code as ErrorCode, 'reason', { isOwnFault: true });

  it(retryable ? 'may succeed later' : 'never succeeds later', () => {
    expect(error.retryable).toBe(retryable);
  });

  it('is nobody’s business once the broker has the message again', () => {
    expect(disposition(error, { isStale: true })).toEqual({ action: 'drop' });
  });

  it(retryable ? 'is tried again' : 'goes to the dead letters at once', () => {
    expect(disposition(error)).toMatchObject(
      retryable ? { action: 'retry', delayMs: 10, excusedAttempts: 0 } : { action: 'dead-letter' },
    );
  });
});

describe('what may succeed later', () => {
  const error = new InferenceError('PREPROCESS_FAILED', 'reason');

  it('waits longer before each attempt, and is dead after the last', () => {
    const outcomes = [1, 2, 3].map((attempts) => disposition(error, { attempts }));
    expect(outcomes).toEqual([
      { action: 'retry', delayMs: 10, excusedAttempts: 0, unknownModelAttempts: 0 },
      { action: 'retry', delayMs: 500, excusedAttempts: 0, unknownModelAttempts: 0 },
      { action: 'dead-letter' },
    ]);
  });

  it('is dead at once where retries are off', () => {
    expect(disposition(error, {}, { delaysMs: [] })).toEqual({ action: 'dead-letter' });
    expect(disposition(error, {}, { delaysMs: [], isOutage: true })).toEqual({ action: 'dead-letter' });
  });

  it('is dead at once where the deadline would be over by then', () => {
    expect(disposition(error, {}, { remainingMs: 10 })).toEqual({ action: 'dead-letter' });
    expect(disposition(error, {}, { remainingMs: 11 })).toMatchObject({ action: 'retry' });
  });

  it('is excused in an outage, however many attempts it had, and waits the longest time', () => {
    for (const attempts of [1, 3, 7])
      expect(disposition(error, { attempts, excusedAttempts: 1 }, { isOutage: true })).toEqual({
        action: 'retry',
        delayMs: 500,
        excusedAttempts: 2,
        unknownModelAttempts: 0,
      });
  });

  it('is excused, however many attempts it had, where the queue for all results is full', () => {
    const full = new InferenceError('REPLY_REFUSED', 'reason');
    expect(disposition(full, { attempts: 9, excusedAttempts: 2 })).toEqual({
      action: 'retry',
      delayMs: 500,
      excusedAttempts: 3,
      unknownModelAttempts: 0,
    });
  });

  it('has after an outage the attempts left that it had before', () => {
    const delivery = { attempts: 9, excusedAttempts: 7 };
    expect(disposition(error, delivery)).toMatchObject({ action: 'retry', delayMs: 500 });
  });
});

describe('a model that is unknown here', () => {
  const error = new InferenceError('UNKNOWN_MODEL', 'reason');
  const after = (unknownModelAttempts: number, delivery = {}, policy = {}) =>
    disposition(error, { attempts: unknownModelAttempts + 1, unknownModelAttempts, ...delivery }, policy);

  it('may be known to another worker: the request is tried again four times, each after the first delay', () => {
    const retries = [1, 2, 3, 4].map((unknownModelAttempts) => ({
      action: 'retry',
      delayMs: 10,
      excusedAttempts: 0,
      unknownModelAttempts,
    }));
    expect([0, 1, 2, 3, 4].map((attempts) => after(attempts))).toEqual([
      ...retries,
      { action: 'dead-letter' },
    ]);
  });

  it('is dead at once where retries are off, or the deadline would be over by then', () => {
    expect(after(0, {}, { delaysMs: [] })).toEqual({ action: 'dead-letter' });
    expect(after(0, {}, { remainingMs: 10 })).toEqual({ action: 'dead-letter' });
    expect(after(0, {}, { remainingMs: 11 })).toMatchObject({ action: 'retry' });
  });

  it('is the request’s own fault, and no reason to excuse it in an outage', () => {
    expect(error.isOwnFault).toBe(true);
    expect(after(4, {}, { isOutage: true })).toEqual({ action: 'dead-letter' });
    expect(after(3, {}, { isOutage: true })).toMatchObject({ delayMs: 10, excusedAttempts: 0 });
  });

  it('uses up no retry of another failure, nor another failure one of its', () => {
    const failure = new InferenceError('PREPROCESS_FAILED', 'reason');
    const mixed = { attempts: 4, unknownModelAttempts: 2, excusedAttempts: 0 };
    expect(disposition(failure, mixed)).toMatchObject({ delayMs: 500, unknownModelAttempts: 2 });
    expect(disposition(failure, { ...mixed, attempts: 5 })).toEqual({ action: 'dead-letter' });
    expect(after(3, { attempts: 9, excusedAttempts: 3 })).toMatchObject({
      delayMs: 10,
      excusedAttempts: 3,
      unknownModelAttempts: 4,
    });
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
