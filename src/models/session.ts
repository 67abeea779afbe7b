import { ModelSignature } from '../protocol/rows.js';
import { TensorData } from '../protocol/tensor.js';

/** One tensor for each input or output of a model, in the model's order, with the batch dimension where there is one. */
export interface Batch {
  readonly tensors: readonly TensorData[];
  readonly dims: readonly (readonly number[])[];
}

/** A batch has not run, because a deadline passed while it waited to. */
export class BatchLateError extends Error {
  constructor() {
    super('a deadline passed before the batch could run');
    this.name = 'BatchLateError';
  }
}

/** A loaded model, on this thread or in others. */
export interface Session {
  readonly signature: ModelSignature;
  /** How many batches may run at once. */
  readonly parallelism: number;
  /**
   * Runs one batch. The tensors given are used up: they may be gone afterwards.
   *
   * @param deadline the batch must not wait beyond it (`performance.now()`); once it runs, it runs to its end
   * @throws BatchLateError, or Error with ONNX Runtime's reason
   */
  run(batch: Batch, deadline?: number): Promise<Batch>;
}
