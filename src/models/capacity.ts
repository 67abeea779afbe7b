import { Settings } from '../config/settings.js';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { ModelSignature } from '../protocol/rows.js';
import { elementCount } from '../protocol/tensor.js';
import { ModelFile } from './model.repository.js';
import { availableMemory } from './resources.js';

/** RabbitMQ lets no consumer of a quorum queue hold more. */
const MAX_AUTO_PREFETCH = 2000;
/** What a message costs beside its inference, in ms: so much for each, and so much for each number in its JSON. */
const MESSAGE_MS = 0.03;
const ELEMENT_MS = 0.000_04;
/** From a batch's end until the broker has confirmed it and sent something new, in ms, under load. */
const CONFIRM_MS = 15;
/** A row's time in a model that warm-up could not measure, in ms. */
const UNMEASURED_ROW_MS = 0.25;
/** A number as JSON, which is kept until the message is settled, and as part of a tensor. */
const ELEMENT_BYTES = 16;
const MESSAGE_BYTES = 2048;
/** Messages in hand may have this share of the memory. */
const MEMORY_SHARE = 0.25;
/** What an open dimension is taken for. */
const OPEN_DIMENSION = 512;

type CapacitySettings = Pick<
  Settings,
  'CONCURRENCY' | 'PREFETCH' | 'BATCH_MAX_SIZE' | 'PREPROCESS_IO_DELAY_MS'
>;

/** What the plan goes by; known once a model is warm. */
export interface MeasuredModel extends Pick<ModelFile, 'config'> {
  readonly signature: ModelSignature;
  /** Rows in its largest batch, and how long that takes in ms; undefined where it could not be measured. */
  readonly maxBatchSize: number;
  readonly batchMs: number | undefined;
  readonly maxBatchWaitMs: number;
  /** 0: on the event loop. */
  readonly threads: number;
}

/** How much is in hand at once. Injected by this class. What is `auto` in it holds once the models are warm. */
export abstract class Capacity {
  /** Unacknowledged messages that the broker may hand over: the bound on memory. */
  abstract readonly prefetch: number;
  /** Messages in the story at once: the bound of `mergeMap`. */
  abstract readonly concurrency: number;
  /** Longest I/O wait of any model, in ms. */
  abstract readonly longestIoWaitMs: number;
}

/** Finds the {@link Capacity}: `prefetch ≥ concurrency ≥ largest batch`, or batches never fill. */
export class CapacityPlan extends Capacity {
  readonly longestIoWaitMs: number;
  private automatic: number;

  /**
   * @param memoryBytes what the process may use
   * @throws StartupError (exit code 78) for given values that cannot work together
   */
  constructor(
    private readonly settings: CapacitySettings,
    models: readonly ModelFile[],
    private readonly memoryBytes = availableMemory(),
  ) {
    super();
    this.longestIoWaitMs = Math.max(...models.map((model) => this.ioWaitMs(model)));
    this.automatic = Math.max(
      ...models.map(({ config }) => config.batching.maxSize ?? settings.BATCH_MAX_SIZE),
    );
    const problems = problemsOf(settings, this.automatic);
    if (problems.length > 0) throw new StartupError(problems.join('\n'), EXIT_CONFIG);
  }

  get concurrency(): number {
    const { CONCURRENCY, PREFETCH } = this.settings;
    if (CONCURRENCY !== 'auto') return CONCURRENCY;
    return PREFETCH === 'auto' ? this.automatic : Math.min(this.automatic, PREFETCH);
  }

  get prefetch(): number {
    const { PREFETCH } = this.settings;
    return PREFETCH === 'auto' ? Math.max(this.automatic, this.concurrency) : PREFETCH;
  }

  /** Plans what is `auto`: enough for the model that needs most in hand, in the memory for the largest messages. */
  settle(models: readonly MeasuredModel[]): void {
    const wanted = Math.max(...models.map((model) => this.inHand(model)));
    const largestBatch = Math.max(...models.map(({ maxBatchSize }) => maxBatchSize));
    const largestBytes = Math.max(
      ...models.map(({ signature }) => MESSAGE_BYTES + ELEMENT_BYTES * rowElements(signature)),
    );
    const affordable = Math.max(1, Math.floor((MEMORY_SHARE * this.memoryBytes) / largestBytes));
    this.automatic = Math.min(Math.max(Math.min(wanted, MAX_AUTO_PREFETCH), largestBatch), affordable);
  }

  /**
   * Little's law: messages in hand = rate × time in hand. Not more: what one worker has in hand, others cannot
   * take, and it is delivered again when this one dies. Not less than a batch to run, one to come, one that fills.
   */
  private inHand(model: MeasuredModel): number {
    const { maxBatchSize, maxBatchWaitMs, signature } = model;
    const { batchMs = UNMEASURED_ROW_MS * maxBatchSize } = model;
    const cpus = Math.max(1, model.threads);
    const msPerMessage = MESSAGE_MS + ELEMENT_MS * rowElements(signature) + batchMs / maxBatchSize / cpus;
    const timeInHandMs = this.ioWaitMs(model) + maxBatchWaitMs + 3 * batchMs + CONFIRM_MS;
    return Math.max(Math.ceil(timeInHandMs / msPerMessage), (2 * cpus + 1) * maxBatchSize);
  }

  private ioWaitMs({ config }: Pick<ModelFile, 'config'>): number {
    return this.settings.PREPROCESS_IO_DELAY_MS ?? config.preprocess.ioDelayMs;
  }
}

function problemsOf({ CONCURRENCY, PREFETCH }: CapacitySettings, largestBatch: number): string[] {
  const problems = [];
  if (CONCURRENCY !== 'auto' && PREFETCH !== 'auto' && PREFETCH < CONCURRENCY)
    problems.push(`PREFETCH: ${PREFETCH} is less than CONCURRENCY, ${CONCURRENCY}; make it at least that`);
  const concurrency = CONCURRENCY === 'auto' ? PREFETCH : CONCURRENCY;
  if (concurrency !== 'auto' && concurrency < largestBatch)
    problems.push(
      `CONCURRENCY: ${concurrency} never fills a batch of ${largestBatch}; raise it (and PREFETCH), or lower BATCH_MAX_SIZE or batching.maxSize in model.json`,
    );
  return problems;
}

/** Numbers in one row, of all inputs. */
function rowElements({ inputs, mayBatch }: ModelSignature): number {
  const ofInput = ({ shape }: ModelSignature['inputs'][number]) =>
    elementCount(
      shape.slice(mayBatch ? 1 : 0).map((dim) => (typeof dim === 'number' ? dim : OPEN_DIMENSION)),
    );
  return inputs.reduce((sum, input) => sum + ofInput(input), 0);
}
