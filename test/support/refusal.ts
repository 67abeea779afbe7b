import { InferenceError } from '../../src/inference/inference.errors.js';

/** The `InferenceError` that `act` throws. Any other error is thrown on, and so is none at all. */
export function refusalOf(act: () => unknown): InferenceError {
  try {
    act();
  } catch (error) {
    if (error instanceof InferenceError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
