import { Rows } from '../protocol/rows.js';
import { InferenceThread } from './inference-thread.js';
import { ModelFile } from './model.repository.js';
import { Batch, Session } from './session.js';

/** One runs, the next is there already: handing a batch over takes 0.15 ms, in which the thread would be idle. */
const BATCHES_PER_THREAD = 2;

/** Threads, each with a session of its own for every model that is loaded here. */
export class ThreadPool {
  private threads: readonly InferenceThread[] = [];

  /**
   * @param size number of threads; they start with the first model
   * @param onDied told when a thread ends and was not asked to
   */
  constructor(
    readonly size: number,
    private readonly onDied: (error: Error) => void,
  ) {}

  /** Loads a model in every thread and warms it up there with batches of up to `maxBatchSize` rows like `sample`. */
  async load(file: ModelFile, maxBatchSize: number, sample?: Rows): Promise<Session> {
    if (this.threads.length === 0)
      this.threads = Array.from({ length: this.size }, () => InferenceThread.start(this.onDied));
    const [signature] = await Promise.all(
      this.threads.map((thread) => thread.load(file, maxBatchSize, sample)),
    );
    if (!signature) throw new Error('there is no thread to load it');
    return {
      signature,
      parallelism: BATCHES_PER_THREAD * this.size,
      run: (batch: Batch, deadline?: number) => this.leastBusy().run(file.name, batch, deadline),
    };
  }

  /** Ends the threads once they have done what they have in hand. */
  async end(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.end()));
  }

  private leastBusy(): InferenceThread {
    return this.threads.reduce((best, thread) => (thread.inHand < best.inHand ? thread : best));
  }
}
