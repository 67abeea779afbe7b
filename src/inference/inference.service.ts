import { Injectable, Logger } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { StartupError } from '../config/startup-error.js';
import { Activity } from '../metrics/activity.js';
import { ModelFile, ModelRepository } from '../models/model.repository.js';
import { OnnxSession } from '../models/onnx.session.js';
import { describe, Row, RowOutput } from '../protocol/rows.js';
import { ServedModel } from './served-model.js';

/** Owns the sessions for the life of the process; inference is batched behind {@link infer}. */
@Injectable()
export class InferenceService {
  private readonly models = new Map<string, ServedModel>();
  private readonly logger = new Logger('Models');
  private warm = false;

  constructor(
    private readonly settings: Settings,
    private readonly repository: ModelRepository,
    private readonly activity: Activity,
  ) {}

  /** True once every model is loaded and warmed up. */
  get isWarm(): boolean {
    return this.warm;
  }

  /**
   * Loads every model and warms it up.
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
    for (const model of this.models.values()) await model.release();
    this.models.clear();
  }

  private async load(file: ModelFile): Promise<ServedModel> {
    const session = await OnnxSession.load(file);
    const model = new ServedModel(file, session, this.settings, (rows) => this.activity.batchRan(rows));
    const batchMs = await session.warmUp(model.maxBatchSize);
    const { signature, maxBatchSize, maxBatchWaitMs } = model;
    const batching = signature.isBatched
      ? `batches of up to ${maxBatchSize} in ${maxBatchWaitMs} ms${batchMs === undefined ? '' : `, ${batchMs.toFixed(2)} ms each`}`
      : 'no batch dimension: one request a run';
    this.logger.log(
      `${file.name} (version ${file.version}): ${signature.inputs.map(describe).join(', ')} → ` +
        `${signature.outputs.map(describe).join(', ')}; ${batching}; on the event loop, 1 thread`,
    );
    return model;
  }
}

function asList<T>(item: T): T[] {
  return [item];
}
