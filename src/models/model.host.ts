import { statSync } from 'node:fs';
import { Settings } from '../config/settings.js';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { checkConfig } from './config-check.js';
import { ModelFile } from './model.repository.js';
import { OnnxSession } from './onnx.session.js';
import { availableCpus, availableMemory } from './resources.js';
import { Session } from './session.js';
import { ThreadPool } from './thread-pool.js';
import { ModelProfile, profile } from './warm-up.js';

/** Longest stop of the event loop that a model may cause, in ms: heartbeats, probes and all other messages wait. */
const MAX_INLINE_BATCH_MS = 3;
/** A row that takes longer, in ms, is most of its message's cost, which is worth spreading over CPUs. */
const MAX_INLINE_ROW_MS = 0.05;
/** A session takes about twice its file: the weights, and a copy arranged for the CPU. */
const MEMORY_PER_FILE_BYTE = 2;
/** Sessions in threads may have this share of the memory. */
const MEMORY_SHARE = 0.5;

/** A model that is ready to run, and where it runs. */
export interface LoadedModel {
  readonly session: Session;
  readonly profile: ModelProfile;
  /** 0: on the event loop. */
  readonly threads: number;
}

/** Loads models, and decides where each runs: on the event loop, or in threads. Owns the sessions. */
export class ModelHost {
  private readonly inline: OnnxSession[] = [];
  private readonly pool: ThreadPool;

  /**
   * @param threads `auto`: in threads, as many as there are CPUs and memory for, what would hold up the event loop
   * @param files all models there are, for the memory they will take
   * @param onDied told when a thread ends and was not asked to
   */
  constructor(
    private readonly threads: Settings['INFERENCE_THREADS'],
    files: readonly ModelFile[],
    onDied: (error: Error) => void,
  ) {
    const size = threads === 'auto' ? affordableThreads(files) : threads;
    this.pool = new ThreadPool(size, onDied);
  }

  /**
   * Loads a model and warms it up. It is measured on this thread, and moves to others from here, so that it is never
   * in memory once more than it will be.
   *
   * @param maxBatchSize the largest batch allowed, in rows; of no account to a model without a batch dimension
   * @throws Error with ONNX Runtime's reason, or StartupError when its `model.json` does not fit it
   */
  async load(file: ModelFile, maxBatchSize: number): Promise<LoadedModel> {
    const session = await OnnxSession.load(file);
    const problems = checkConfig(file, session.signature);
    if (problems.length > 0) throw new StartupError(problems.join('\n'), EXIT_CONFIG);
    const found = await profile(session, session.signature.isBatched ? maxBatchSize : 1);
    if (this.isInline(found)) {
      this.inline.push(session);
      return { session, profile: found, threads: 0 };
    }
    await session.release();
    const threaded = await this.pool.load(file, found.maxBatchSize);
    return { session: threaded, profile: found, threads: this.pool.size };
  }

  /** Frees all sessions and ends the threads; nothing may run after that. */
  async release(): Promise<void> {
    await this.pool.end();
    for (const session of this.inline.splice(0)) await session.release();
  }

  /** A model that could not be measured may be slow. */
  private isInline({ batchMs = Infinity, maxBatchSize }: ModelProfile): boolean {
    if (this.threads !== 'auto') return this.threads === 0;
    return batchMs <= MAX_INLINE_BATCH_MS && batchMs / maxBatchSize <= MAX_INLINE_ROW_MS;
  }
}

function affordableThreads(files: readonly ModelFile[]): number {
  const fileBytes = files.reduce((sum, { path }) => sum + statSync(path).size, 0);
  const bySize = (MEMORY_SHARE * availableMemory()) / (MEMORY_PER_FILE_BYTE * Math.max(fileBytes, 1));
  return Math.max(1, Math.floor(Math.min(availableCpus(), bySize)));
}
