import { Injectable, Logger } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { StartupError } from '../config/startup-error.js';
import { Activity } from '../metrics/activity.js';
import { CapacityPlan } from '../models/capacity.js';
import { ModelHost } from '../models/model.host.js';
import { ModelFile, ModelRepository } from '../models/model.repository.js';
import { describe, Row, RowOutput } from '../protocol/rows.js';
import { ServedModel } from './served-model.js';

/** Owns the sessions for the life of the process; inference is batched behind {@link infer}. */
@Injectable()
export class InferenceService {
  private readonly models = new Map<string, ServedModel>();
  private readonly logger = new Logger('Models');
  private readonly host: ModelHost;
  private warm = false;
  /** Told when a thread that runs models has ended by itself. What it had in hand has no answer. */
  onThreadDied: (error: Error) => void = () => {};

  constructor(
    private readonly settings: Settings,
    private readonly repository: ModelRepository,
    private readonly activity: Activity,
    private readonly capacity: CapacityPlan,
  ) {
    this.host = new ModelHost(settings.INFERENCE_THREADS, repository.all, (error) => {
      this.warm = false;
      this.onThreadDied(error);
    });
  }

  /** True once every model is loaded and warmed up. */
  get isWarm(): boolean {
    return this.warm;
  }

  /**
   * Loads every model and warms it up, and plans the capacity by what it found.
   *
   * @throws StartupError naming the model, its file and ONNX Runtime's reason
   */
  async start(): Promise<void> {
    for (const file of this.repository.all) {
      try {
        this.models.set(file.name, await this.load(file));
      } catch (error) {
        throw new StartupError(
          `model '${file.name}' (${file.path}) cannot be served: ${(error as Error).message}`,
        );
      }
    }
    this.capacity.settle([...this.models.values()]);
    this.warm = true;
  }

  /** @throws InferenceError UNKNOWN_MODEL */
  model(name: string | undefined): ServedModel {
    const file = this.repository.resolve(name);
    return this.models.get(file.name) as ServedModel;
  }

  /**
   * Infers each row; rows of many requests share batches.
   *
   * @param deadline rows are not inferred after this moment (`performance.now()`)
   * @returns one output a row, in the order of the rows
   * @throws InferenceError INFERENCE_FAILED or DEADLINE_EXCEEDED, the first of any row
   */
  infer(model: ServedModel, rows: readonly Row[], deadline?: number): Promise<RowOutput[]> {
    const [first] = rows;
    if (first && rows.length === 1) return model.infer(first, deadline).then(asList);
    return Promise.all(rows.map((row) => model.infer(row, deadline)));
  }

  /** Frees the sessions; nothing may be inferred after that. */
  async release(): Promise<void> {
    this.warm = false;
    this.models.clear();
    await this.host.release();
  }

  private async load(file: ModelFile): Promise<ServedModel> {
    const { BATCH_MAX_SIZE, BATCH_MAX_WAIT_MS } = this.settings;
    const { maxSize = BATCH_MAX_SIZE, maxWaitMs = BATCH_MAX_WAIT_MS } = file.config.batching;
    const loaded = await this.host.load(file, maxSize);
    const model = new ServedModel(file, loaded, maxWaitMs, (rows) => this.activity.batchRan(rows));
    this.logger.log(summary(model));
    return model;
  }
}

function asList<T>(item: T): T[] {
  return [item];
}

function summary(model: ServedModel): string {
  const { name, version, signature, maxBatchSize, maxBatchWaitMs, batchMs, threads } = model;
  const batching = signature.isBatched
    ? `batches of up to ${maxBatchSize} in ${maxBatchWaitMs} ms${batchMs === undefined ? '' : `, ${batchMs.toFixed(2)} ms each`}`
    : 'no batch dimension: one request a run';
  const place = threads === 0 ? 'on the event loop' : `in ${threads} thread${threads === 1 ? '' : 's'}`;
  return (
    `${name} (version ${version}): ${signature.inputs.map(describe).join(', ')} → ` +
    `${signature.outputs.map(describe).join(', ')}; ${batching}; ${place}`
  );
}
