import { deadlineExceeded } from '../deadline/deadline.js';
import { runRows } from '../models/batch.js';
import { ModelConfig } from '../models/model-config.js';
import { MeasuredModel } from '../models/capacity.js';
import { LoadedModel } from '../models/model.host.js';
import { ModelFile } from '../models/model.repository.js';
import { BatchLateError } from '../models/session.js';
import { AnsweringModel } from '../protocol/answer.encoder.js';
import { ModelSignature, Row, RowOutput } from '../protocol/rows.js';
import { PreprocessModel } from '../preprocess/preprocessor.js';
import { runBisecting } from './bisect.js';
import { asInferenceError, InferenceError } from './inference.errors.js';
import { MicroBatcher, RunBatch } from './micro-batcher.js';
import { QueuedRow, runTimely } from './timely-run.js';

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
    const run = async (items: readonly QueuedRow[], deadline?: number) => {
      try {
        const rows = items.map(({ row }) => row);
        const outputs = await runRows(session, rows, deadline);
        onBatch(items.length);
        return outputs;
      } catch (error) {
        if (error instanceof BatchLateError) throw error;
        throw asInferenceError(error, 'INFERENCE_FAILED', `model '${this.name}' failed on this input`);
      }
    };
    const runner: RunBatch<QueuedRow, RowOutput> = async (items, refuse) =>
      blamed(await runBisecting(items, (some) => runTimely(some, run, refuse)));
    this.batcher = new MicroBatcher(
      Array.from({ length: session.parallelism }, () => runner),
      {
        maxSize: this.maxBatchSize,
        maxWaitMs: maxBatchWaitMs,
        expected: () => this.preparing,
        groupOf: hasOpenRow(this.signature) ? ({ row }) => row.dims.join(';') : undefined,
        deadline: {
          of: ({ deadline }) => deadline,
          error: ({ deadline = NaN }) => deadlineExceeded(deadline, 'while it waited for a batch'),
        },
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

/** A row that fails beside others that do not has nothing else to blame. */
function blamed(answers: readonly (RowOutput | Error)[]): readonly (RowOutput | Error)[] {
  const isFailure = (answer: RowOutput | Error) => answer instanceof Error;
  if (!answers.some(isFailure) || answers.every(isFailure)) return answers;
  return answers.map((answer) => (answer instanceof InferenceError ? answer.asOwnFault() : answer));
}

/** True where rows of one model may differ in their dimensions, and so cannot share every batch. */
function hasOpenRow({ inputs, isBatched }: ModelSignature): boolean {
  return inputs.some(({ shape }) => shape.slice(isBatched ? 1 : 0).some((dim) => typeof dim === 'string'));
}
