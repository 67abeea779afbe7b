import { Settings } from '../config/settings.js';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { ModelFile } from './model.repository.js';

/** RabbitMQ lets no consumer of a quorum queue hold more. */
const MAX_AUTO_PREFETCH = 2000;
/** What one CPU can do with a small model, so what must be in hand to keep it busy. */
const TARGET_MESSAGES_PER_MS = 20;
/** Batch wait, run, and the broker's confirm, in ms; under load the confirm is most of it. */
const AFTER_IO_MS = 25;

type CapacitySettings = Pick<
  Settings,
  'CONCURRENCY' | 'PREFETCH' | 'BATCH_MAX_SIZE' | 'PREPROCESS_IO_DELAY_MS'
>;

/** How much is in hand at once. Injected by this class. */
export abstract class Capacity {
  /** Unacknowledged messages that the broker may hand over: the bound on memory. */
  abstract readonly prefetch: number;
  /** Messages in the story at once: the bound of `mergeMap`. */
  abstract readonly concurrency: number;
  /** Longest I/O wait of any model, in ms. */
  abstract readonly longestIoWaitMs: number;
}

/**
 * Little's law for what is `auto`: messages in hand = rate × time in hand. `prefetch ≥ concurrency ≥ largest
 * batch`, or batches never fill.
 *
 * @throws StartupError (exit code 78) for given values that cannot work together
 */
export function planCapacity(settings: CapacitySettings, models: readonly ModelFile[]): Capacity {
  const ioDelays = models.map(({ config }) => settings.PREPROCESS_IO_DELAY_MS ?? config.preprocess.ioDelayMs);
  const largestBatch = Math.max(
    ...models.map(({ config }) => config.batching.maxSize ?? settings.BATCH_MAX_SIZE),
  );
  const longestIoWaitMs = Math.max(...ioDelays);
  const wanted = Math.ceil(TARGET_MESSAGES_PER_MS * (longestIoWaitMs + AFTER_IO_MS));
  const automatic = Math.max(Math.min(wanted, MAX_AUTO_PREFETCH), largestBatch);
  const { CONCURRENCY, PREFETCH } = settings;
  const concurrency =
    CONCURRENCY !== 'auto' ? CONCURRENCY : PREFETCH === 'auto' ? automatic : Math.min(automatic, PREFETCH);
  const prefetch = PREFETCH !== 'auto' ? PREFETCH : Math.max(automatic, concurrency);
  const problems = [];
  if (prefetch < concurrency)
    problems.push(`PREFETCH: ${prefetch} is less than CONCURRENCY, ${concurrency}; make it at least that`);
  if (concurrency < largestBatch)
    problems.push(
      `CONCURRENCY: ${concurrency} never fills a batch of ${largestBatch}; raise it (and PREFETCH), or lower BATCH_MAX_SIZE or batching.maxSize in model.json`,
    );
  if (problems.length > 0) throw new StartupError(problems.join('\n'), EXIT_CONFIG);
  return { prefetch, concurrency, longestIoWaitMs };
}
