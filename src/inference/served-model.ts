import { deadlineExceeded } from '../deadline/deadline.js';
import { ModelConfig } from '../models/model-config.js';
import { MeasuredModel } from '../models/capacity.js';
import { LoadedModel } from '../models/model.host.js';
import { runAlone } from '../models/batch.js';
import { ModelFile } from '../models/model.repository.js';
import { Session } from '../models/session.js';
import { AnsweringModel } from '../protocol/answer.encoder.js';
import { ModelSignature, Rows } from '../protocol/rows.js';
import { isFixed } from '../protocol/tensor.js';
import { PreprocessModel } from '../preprocess/preprocessor.js';
import { BatchRunner } from './batch-runner.js';
import { BatchingProof, ProofListener } from './batching-proof.js';
import { Blame } from './blame.js';
import { InferenceError } from './inference.errors.js';
import { MicroBatcher } from './micro-batcher.js';
import { QueuedRows } from './timely-run.js';

/** Who is told what a model does. */
export interface ModelListener extends ProofListener {
  /** @param rows of a batch that ran */
  onBatch(rows: number): void;
}

/** A model at work: its session, its batcher, and how many of its requests are on the way to it. */
export class ServedModel implements AnsweringModel, PreprocessModel, MeasuredModel {
  readonly name: string;
  readonly version: string;
  readonly config: ModelConfig;
  readonly signature: ModelSignature;
  /** Largest batch, in rows; 1 for a model whose requests cannot share a run. */
  readonly maxBatchSize: number;
  readonly batchMs: number | undefined;
  readonly threads: number;
  private readonly session: Session;
  private readonly proof: BatchingProof;
  private readonly blame: Blame;
  private readonly runner: BatchRunner;
  /** Requests in preprocessing, whose rows are about to come. */
  private preparing = 0;
  private readonly batcher: MicroBatcher<QueuedRows, Rows>;

  /** @param maxBatchWaitMs longest wait for company, in ms */
  constructor(
    file: ModelFile,
    { session, profile, threads, finding, sample }: LoadedModel,
    readonly maxBatchWaitMs: number,
    listener: ModelListener,
  ) {
    ({ name: this.name, version: this.version, config: this.config } = file);
    this.session = session;
    this.signature = session.signature;
    ({ maxBatchSize: this.maxBatchSize, batchMs: this.batchMs } = profile);
    this.threads = threads;
    this.proof = new BatchingProof(session, finding, listener);
    this.blame = new Blame(session, sample);
    this.runner = new BatchRunner(this.name, session, this.proof, this.blame, (rows) =>
      listener.onBatch(rows),
    );
    this.batcher = new MicroBatcher(
      Array.from({ length: session.parallelism }, () => this.runner.run),
      {
        maxSize: this.maxBatchSize,
        maxWaitMs: maxBatchWaitMs,
        mayShare: () => this.proof.holds,
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

  get hasOpenRows() {
    return this.signature.hasOpenRows;
  }

  get mayBatch() {
    return this.signature.mayBatch;
  }

  /** True while requests share runs, and large ones are cut: rows alone and in company were seen to get the same. */
  get sharesRuns(): boolean {
    return this.proof.holds;
  }

  get labels() {
    return this.config.labels;
  }

  /** Requests that it has answered with outputs so far. */
  get succeeded(): number {
    return this.runner.succeeded;
  }

  /** True where it works now on an input that it has taken before, or none is known. */
  works(): Promise<boolean> {
    return this.blame.modelWorks();
  }

  /**
   * A request of more rows than any before it has run cut: it runs whole as well, as some models work on a few rows only.
   *
   * @param cut what it got
   * @returns the outputs to answer with: those that it gets whole, where it ran so
   */
  async holdAgainstWhole(rows: Rows, cut: Rows): Promise<Rows> {
    if (!this.proof.isLargestCut(rows.count)) return cut;
    const whole = await runAlone(this.session, rows);
    await this.proof.compareCut(rows, cut, whole);
    return whole;
  }

  /**
   * @param rows while the model shares runs, no more than a batch takes
   * @throws InferenceError DEADLINE_EXCEEDED, SHAPE_MISMATCH or INFERENCE_FAILED, for these rows alone
   */
  infer(rows: Rows, deadline?: number): Promise<Rows> {
    if (rows.isWhole && this.mayBatch && this.sharesRuns) return Promise.reject(unevenRows(rows));
    return this.batcher.add({ rows, deadline });
  }
}

/** True where rows of one model may differ in their dimensions, and so cannot share every batch. */
function hasOpenRow({ inputs, mayBatch }: ModelSignature): boolean {
  return !inputs.every(({ shape }) => isFixed(shape.slice(mayBatch ? 1 : 0)));
}

function unevenRows({ dims }: Rows): InferenceError {
  const counts = [...new Set(dims.map(([count]) => count))];
  return new InferenceError(
    'SHAPE_MISMATCH',
    `the inputs differ in their first (batch) dimension: ${counts.join(' and ')}; send as many rows in each`,
  );
}
