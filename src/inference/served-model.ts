import { deadlineExceeded } from '../deadline/deadline.js';
import { countOf, runRows } from '../models/batch.js';
import { ModelConfig } from '../models/model-config.js';
import { MeasuredModel } from '../models/capacity.js';
import { LoadedModel } from '../models/model.host.js';
import { ModelFile } from '../models/model.repository.js';
import { BatchLateError } from '../models/session.js';
import { AnsweringModel } from '../protocol/answer.encoder.js';
import { ModelSignature, Rows } from '../protocol/rows.js';
import { isFixed } from '../protocol/tensor.js';
import { PreprocessModel } from '../preprocess/preprocessor.js';
import { runBisecting } from './bisect.js';
import { blamed } from './blame.js';
import { asInferenceError } from './inference.errors.js';
import { MicroBatcher, RunBatch } from './micro-batcher.js';
import { QueuedRows, runTimely } from './timely-run.js';

/** A model at work: its session, its batcher, and how many of its requests are on the way to it. */
export class ServedModel implements AnsweringModel, PreprocessModel, MeasuredModel {
  readonly name: string;
  readonly version: string;
  readonly config: ModelConfig;
  readonly signature: ModelSignature;
  /** Largest batch, in rows; 1 for a model without a batch dimension. */
  readonly maxBatchSize: number;
  readonly batchMs: number | undefined;
  readonly threads: number;
  /** Requests in preprocessing, whose rows are about to come. */
  private preparing = 0;
  private readonly batcher: MicroBatcher<QueuedRows, Rows>;

  /**
   * @param maxBatchWaitMs longest wait for company, in ms
   * @param onBatch told the rows of each batch that ran
   */
  constructor(
    file: ModelFile,
    { session, profile, threads }: LoadedModel,
    readonly maxBatchWaitMs: number,
    onBatch: (rows: number) => void,
  ) {
    ({ name: this.name, version: this.version, config: this.config } = file);
    this.signature = session.signature;
    ({ maxBatchSize: this.maxBatchSize, batchMs: this.batchMs } = profile);
    this.threads = threads;
    const run = async (items: readonly QueuedRows[], deadline?: number) => {
      try {
        const parts = items.map(({ rows }) => rows);
        const outputs = await runRows(session, parts, deadline);
        onBatch(countOf(parts));
        return outputs;
      } catch (error) {
        if (error instanceof BatchLateError) throw error;
        throw asInferenceError(error, 'INFERENCE_FAILED', `model '${this.name}' failed on this input`);
      }
    };
    const runner: RunBatch<QueuedRows, Rows> = async (items, refuse) =>
      blamed(items, await runBisecting(items, (some) => runTimely(some, run, refuse)), run);
    this.batcher = new MicroBatcher(
      Array.from({ length: session.parallelism }, () => runner),
      {
        maxSize: this.maxBatchSize,
        maxWaitMs: maxBatchWaitMs,
        expected: () => this.preparing,
        sizeOf: ({ rows }) => rows.count,
        groupOf: hasOpenRow(this.signature) ? ({ rows }) => rows.dims.join(';') : undefined,
        deadline: {
          of: ({ deadline }) => deadline,
          error: ({ deadline = NaN }) => deadlineExceeded(deadline, 'while it waited for a batch'),
        },
      },
    );
  }

  /** A request goes into preprocessing: rows are about to come. */
  enterPreparation(): void {
    this.preparing++;
  }

  /** What follows {@link enterPreparation}, also where no rows come. */
  leavePreparation(): void {
    if (--this.preparing === 0) this.batcher.reconsider();
  }

  get inputs() {
    return this.signature.inputs;
  }

  get outputs() {
    return this.signature.outputs;
  }

  get isBatched() {
    return this.signature.isBatched;
  }

  get labels() {
    return this.config.labels;
  }

  /**
   * @param rows no more than a batch takes: they run in one
   * @throws InferenceError DEADLINE_EXCEEDED or INFERENCE_FAILED, for these rows alone
   */
  infer(rows: Rows, deadline?: number): Promise<Rows> {
    return this.batcher.add({ rows, deadline });
  }
}

/** True where rows of one model may differ in their dimensions, and so cannot share every batch. */
function hasOpenRow({ inputs, isBatched }: ModelSignature): boolean {
  return !inputs.every(({ shape }) => isFixed(shape.slice(isBatched ? 1 : 0)));
}
