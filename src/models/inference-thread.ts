import { Worker } from 'node:worker_threads';
import { ModelSignature, Rows } from '../protocol/rows.js';
import { TensorData } from '../protocol/tensor.js';
import { ModelFile } from './model.repository.js';
import { DeadlineWatch } from '../deadline/deadline-watch.js';
import { Batch, BatchLateError } from './session.js';
import { BegunTasks } from './begun-tasks.js';

/** What the thread is asked to do, in this order of asking. */
export type ThreadRequest =
  | {
      readonly task: 'load';
      readonly file: ModelFile;
      readonly maxBatchSize: number;
      /** A row that the model works on, for the warm-up; none: there is no warm-up. */
      readonly sample?: Rows;
    }
  | {
      readonly task: 'run';
      readonly model: string;
      readonly batch: Batch;
      /** Not to be begun after this moment, in ms on the clock of {@link processNow}. */
      readonly deadline?: number;
    }
  | { readonly task: 'end' };

/** What comes back: a value, or why there is none. */
export type ThreadAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly id: number; readonly isLate: true };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A thread with sessions of its own, seen from the main thread. Does one thing at a time, in the order asked. */
export class InferenceThread {
  private readonly waiting = new Map<number, Waiting>();
  /** Batches with a deadline, which may pass while the thread is at another. */
  private readonly watch = new DeadlineWatch<number>((id) => this.onPassed(id));
  private lastId = 0;
  private death: Error | undefined;
  private isEnding = false;

  /**
   * @param onDied told once when the thread ends and was not asked to; what it had in hand has failed then
   * @param begun what the thread has begun
   */
  constructor(
    private readonly worker: Worker,
    private readonly onDied: (error: Error) => void,
    private readonly begun: BegunTasks,
  ) {
    worker.on('message', (answer: ThreadAnswer) => this.onAnswer(answer));
    worker.on('error', (error) => this.onEnded(error.message));
    worker.on('exit', (code) => this.onEnded(`exit code ${code}`));
  }

  static start(onDied: (error: Error) => void): InferenceThread {
    const begun = new BegunTasks();
    const file = new URL('./inference-thread.main.js', import.meta.url);
    return new InferenceThread(new Worker(file, { workerData: begun.memory }), onDied, begun);
  }

  /** How much it has been asked and has not answered yet. */
  get inHand(): number {
    return this.waiting.size;
  }

  /** Loads a model and warms it up. */
  load(file: ModelFile, maxBatchSize: number, sample?: Rows): Promise<ModelSignature> {
    return this.ask({ task: 'load', file, maxBatchSize, sample }) as Promise<ModelSignature>;
  }

  /**
   * The batch's tensors are moved to the thread, and are empty here from then on.
   *
   * @param deadline the batch is not begun after this moment (`performance.now()`)
   * @throws BatchLateError at once when that moment comes before the thread has begun it
   */
  run(model: string, batch: Batch, deadline?: number): Promise<Batch> {
    if (deadline === undefined)
      return this.ask({ task: 'run', model, batch }, buffersOf(batch)) as Promise<Batch>;
    const inThread = deadline - performance.now() + processNow();
    const run = this.ask({ task: 'run', model, batch, deadline: inThread }, buffersOf(batch));
    this.watch.begin(this.lastId, deadline);
    return run as Promise<Batch>;
  }

  /** Frees the sessions, after all that was asked before, and ends the thread. */
  async end(): Promise<void> {
    if (this.death) return;
    this.isEnding = true;
    const exited = new Promise((resolve) => this.worker.once('exit', resolve));
    await this.ask({ task: 'end' });
    await exited;
  }

  private ask(request: ThreadRequest, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.death) return reject(this.death);
      const id = ++this.lastId;
      this.worker.postMessage({ id, ...request }, transfer);
      this.waiting.set(id, { resolve, reject });
    });
  }

  private onAnswer(answer: ThreadAnswer): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    this.watch.end(answer.id);
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else if ('isLate' in answer) waiting?.reject(new BatchLateError());
    else waiting?.resolve(answer.value);
  }

  /** What has been begun answers by itself: with its outputs, or that it came too late. */
  private onPassed(id: number): void {
    if (this.begun.includes(id)) return;
    this.waiting.get(id)?.reject(new BatchLateError());
    this.waiting.delete(id);
  }

  private onEnded(reason: string): void {
    if (this.death) return;
    this.death = new Error(`an inference thread has ended: ${reason}`);
    if (!this.isEnding) this.onDied(this.death);
    for (const waiting of this.waiting.values()) waiting.reject(this.death);
    this.waiting.clear();
  }
}

/** In ms, on a clock that is the same in all threads of the process, as `performance.now()` is not. */
export function processNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * What of a batch is moved from thread to thread rather than copied: all but strings, and arrays that share their
 * memory with others, which would lose theirs.
 */
export function buffersOf({ tensors }: { readonly tensors: readonly TensorData[] }): ArrayBuffer[] {
  return tensors.flatMap((data) => {
    const isMovable = !Array.isArray(data) && data.byteLength === data.buffer.byteLength;
    return isMovable ? [data.buffer as ArrayBuffer] : [];
  });
}
