import { runRows } from '../models/batch.js';
import { ModelConfig } from '../models/model-config.js';
import { MeasuredModel } from '../models/capacity.js';
import { LoadedModel } from '../models/model.host.js';
import { ModelFile } from '../models/model.repository.js';
import { AnsweringModel } from '../protocol/answer.encoder.js';
import { ModelSignature, Row, RowOutput } from '../protocol/rows.js';
import { PreprocessModel } from '../preprocess/preprocessor.js';
import { runBisecting } from './bisect.js';
import { InferenceError } from './inference.errors.js';
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
  private requestsPreparing = 0;
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
      const rows = items.map(({ row }) => row);
      const outputs = await runRows(session, rows);
      onBatch(rows.length);
      return outputs;
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

  /** Requests in preprocessing, whose rows are about to come. */
  get preparing(): number {
    return this.requestsPreparing;
  }

  set preparing(count: number) {
    this.requestsPreparing = count;
    if (count === 0) this.batcher.reconsider();
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

  /** @throws InferenceError DEADLINE_EXCEEDED, or ONNX Runtime's Error, for this row alone */
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
