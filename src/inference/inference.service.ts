import { Injectable, Logger } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { StartupError } from '../config/startup-error.js';
import { Activity } from '../metrics/activity.js';
import { joined, partsOf } from '../models/batch.js';
import { BatchingFinding } from '../models/batching-trial.js';
import { CapacityPlan } from '../models/capacity.js';
import { LoadedModel, ModelHost } from '../models/model.host.js';
import { ModelFile, ModelRepository } from '../models/model.repository.js';
import { describe, Rows } from '../protocol/rows.js';
import { asInferenceError } from './inference.errors.js';
import { ModelListener, ServedModel } from './served-model.js';

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
   * @throws StartupError naming the model, its file and ONNX Runtime's reason, or what in its `model.json` does not fit it
   */
  async start(): Promise<void> {
    for (const file of this.repository.all) {
      try {
        this.models.set(file.name, await this.load(file));
      } catch (error) {
        if (error instanceof StartupError) throw error;
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

  /** The models that are served. */
  get names(): string[] {
    return [...this.models.keys()];
  }

  /** Requests that a model has answered with outputs so far, or all have. */
  succeeded(name?: string): number {
    const models = name === undefined ? [...this.models.values()] : [this.models.get(name)];
    return models.reduce((sum, model) => sum + (model?.succeeded ?? 0), 0);
  }

  /** True where a model works now on an input that it has taken before, or none is known. */
  works(name: string): Promise<boolean> {
    return this.models.get(name)?.works() ?? Promise.resolve(false);
  }

  /**
   * Infers the rows of a request, in batches that they share with those of others: in one, or in parts that go into several.
   *
   * @param deadline they are not inferred after this moment (`performance.now()`)
   * @returns as many rows of outputs
   * @throws InferenceError INFERENCE_FAILED or DEADLINE_EXCEEDED, the first of any batch
   */
  infer(model: ServedModel, rows: Rows, deadline?: number): Promise<Rows> {
    if (rows.count === 1 || !model.sharesRuns) return model.infer(rows, deadline);
    const parts = partsOf(rows, model.maxBatchSize, model);
    if (parts.length === 1) return model.infer(rows, deadline);
    return this.inferParts(model, rows, parts, deadline);
  }

  /** Frees the sessions; nothing may be inferred after that. */
  async release(): Promise<void> {
    this.warm = false;
    this.models.clear();
    await this.host.release();
  }

  /**
   * A request must not be cut where its rows see each other: when that turns out meanwhile, or may be so of a part, which has
   * then run by itself, the request runs again whole.
   */
  private async inferParts(
    model: ServedModel,
    rows: Rows,
    parts: readonly Rows[],
    deadline: number | undefined,
  ): Promise<Rows> {
    try {
      const outputs = await Promise.all(parts.map((part) => model.infer(part, deadline)));
      const haveShared = outputs.every(({ isWhole }) => !isWhole);
      if (model.sharesRuns && haveShared) return await model.holdAgainstWhole(rows, together(outputs, model));
    } catch (error) {
      if (model.sharesRuns) throw error;
    }
    return model.infer(rows, deadline);
  }

  private async load(file: ModelFile): Promise<ServedModel> {
    const { BATCH_MAX_SIZE, BATCH_MAX_WAIT_MS } = this.settings;
    const { maxSize = BATCH_MAX_SIZE, maxWaitMs = BATCH_MAX_WAIT_MS } = file.config.batching;
    const loaded = await this.host.load(file, maxSize);
    const model = new ServedModel(file, loaded, maxWaitMs, this.listenerOf(file));
    this.logger.log(summary(model, loaded));
    if (loaded.failure !== undefined)
      this.logger.warn(
        `${file.name}: it fails on every input that was made up to warm it up, and is served unmeasured (${loaded.failure})`,
      );
    return model;
  }

  private listenerOf({ name }: ModelFile): ModelListener {
    return {
      onBatch: (rows) => this.activity.batchRan(rows),
      onChecked: () => this.activity.batchChecked(),
      onProved: () =>
        this.logger.log(
          `${name}: its first requests got the same answers alone and in company: they share runs now`,
        ),
      onRefuted: (reason) =>
        this.logger.warn(
          `${name}: ${reason}; from now on each request runs alone, as batching would mix them`,
        ),
    };
  }
}

/** @throws InferenceError when the model gives rows of other dimensions in one batch than in another */
function together(outputs: readonly Rows[], { name, maxBatchSize, outputs: specs }: ServedModel): Rows {
  try {
    return joined(outputs, specs);
  } catch (error) {
    const what = `the outputs of model '${name}' differ from batch to batch; send at most ${maxBatchSize} rows`;
    throw asInferenceError(error, 'INFERENCE_FAILED', what).asOwnFault();
  }
}

function summary(model: ServedModel, { finding }: LoadedModel): string {
  const { name, version, signature, threads } = model;
  const place = threads === 0 ? 'on the event loop' : `in ${threads} thread${threads === 1 ? '' : 's'}`;
  return (
    `${name} (version ${version}): ${signature.inputs.map(describe).join(', ')} → ` +
    `${signature.outputs.map(describe).join(', ')}; ${batchingOf(model, finding)}; ${place}`
  );
}

function batchingOf(
  { maxBatchSize, maxBatchWaitMs, batchMs }: ServedModel,
  finding: BatchingFinding,
): string {
  if (finding.verdict === 'refuted') return `one request a run (${finding.reason})`;
  if (finding.verdict === 'open')
    return `one request a run until the first requests show whether they may share one (${finding.reason})`;
  const time = batchMs === undefined ? '' : `, ${batchMs.toFixed(2)} ms each`;
  const trust = finding.verdict === 'trusted' ? ', trusted without proof' : '';
  return `batches of up to ${maxBatchSize} in ${maxBatchWaitMs} ms${time}${trust}`;
}
