import { runRows } from '../models/batch.js';
import { ModelConfig } from '../models/model-config.js';
import { MeasuredModel } from '../models/capacity.js';
import { LoadedModel } from '../models/model.host.js';
import { ModelFile } from '../models/model.repository.js';
import { AnsweringModel } from '../protocol/answer.encoder.js';
import { ModelSignature, Row, RowOutput } from '../protocol/rows.js';
import { PreprocessModel } from '../preprocess/preprocessor.js';
import { runBisecting } from './bisect.js';
import { asInferenceError, InferenceError } from './inference.errors.js';
import { MicroBatcher } from './micro-batcher.js';

interface QueuedRow {
  readonly row: Row;
  readonly deadline?: number;
}

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
  private readonly batcher: MicroBatcher<QueuedRow, RowOutput>;

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
    const run = async (items: readonly QueuedRow[]) => {
      try {
        const outputs = await runRows(
          session,
          items.map(({ row }) => row),
        );
        onBatch(items.length);
        return outputs;
      } catch (error) {
        throw asInferenceError(error, 'INFERENCE_FAILED', `model '${this.name}' failed on this input`);
      }
    };
    const runner = (items: readonly QueuedRow[]) => runBisecting(items, run);
    this.batcher = new MicroBatcher(
      Array.from({ length: session.parallelism }, () => runner),
      {
        maxSize: this.maxBatchSize,
        maxWaitMs: maxBatchWaitMs,
        expected: () => this.preparing,
        groupOf: hasOpenRow(this.signature) ? ({ row }) => row.dims.join(';') : undefined,
        refuse: ({ deadline }) => deadlineError(deadline),
      },
    );
  }

  /** A request has gone into preprocessing: rows are about to come. */
  expect(): void {
    this.preparing++;
  }

  /** What follows {@link expect}: the rows are there. */
  readonly onPrepared = (rows: Row[]): Row[] => {
    this.leavePreparation();
    return rows;
  };

  /** What follows {@link expect} otherwise. @throws InferenceError, PREPROCESS_FAILED where it is none already */
  readonly onPrepareFailed = (error: unknown): never => {
    this.leavePreparation();
    throw asInferenceError(error, 'PREPROCESS_FAILED', 'preprocessing failed');
  };

  private leavePreparation(): void {
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

  /** @throws InferenceError DEADLINE_EXCEEDED or INFERENCE_FAILED, for this row alone */
  infer(row: Row, deadline?: number): Promise<RowOutput> {
    return this.batcher.add({ row, deadline });
  }
}

/** True where rows of one model may differ in their dimensions, and so cannot share every batch. */
function hasOpenRow({ inputs, isBatched }: ModelSignature): boolean {
  return inputs.some(({ shape }) => shape.slice(isBatched ? 1 : 0).some((dim) => typeof dim === 'string'));
}

/** The error of a deadline that has passed. */
export function deadlineError(deadline: number | undefined): InferenceError | undefined {
  if (deadline === undefined) return undefined;
  const late = performance.now() - deadline;
  if (late <= 0) return undefined;
  return new InferenceError(
    'DEADLINE_EXCEEDED',
    `the deadline passed ${late.toFixed(0)} ms before inference; allow more time in \`expiration\` or \`parameters.timeout\``,
  );
}
