import { turnNow } from '../turn-clock.js';
import { Fifo } from './fifo.js';

/**
 * Runs a batch: one value or Error for each item, in the order of the items. A rejection, or an answer of
 * another length, fails every item.
 */
export type RunBatch<T, R> = (items: readonly T[]) => Promise<readonly (R | Error)[]>;

export interface MicroBatcherOptions<T> {
  /** Largest batch handed to a runner. */
  readonly maxSize: number;
  /** Longest wait for company, in ms, counted from the oldest waiting item. */
  readonly maxWaitMs: number;
  /** How many items may still come soon: while none may, nothing waits for company. Default: none. */
  readonly expected?: () => number;
  /** Only items of the same group share a batch. Default: all do. */
  readonly groupOf?: (item: T) => string;
  /** Looks at an item as its batch is put together: an Error keeps it out and is its answer. */
  readonly refuse?: (item: T) => Error | undefined;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly since: number;
  resolve(value: R): void;
  reject(error: Error): void;
}

/**
 * Turns single items into batches by pull: whenever a runner is free it takes what waits, so batches grow by
 * themselves under load. Knows nothing of tensors or messages.
 */
export class MicroBatcher<T, R> {
  private readonly groups = new Map<string, Fifo<Waiting<T, R>>>();
  private readonly free: RunBatch<T, R>[];
  private isScheduled = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param runners each runs one batch at a time */
  constructor(
    runners: readonly RunBatch<T, R>[],
    private readonly options: MicroBatcherOptions<T>,
  ) {
    this.free = [...runners];
  }

  /** Resolves with the item's own answer, or rejects with its own error. */
  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      const key = this.options.groupOf?.(item) ?? '';
      let group = this.groups.get(key);
      if (!group) this.groups.set(key, (group = new Fifo()));
      group.push({ item, since: turnNow(), resolve, reject });
      this.schedule();
    });
  }

  /** Looks again whether to wait: fewer items are expected than before. */
  reconsider(): void {
    if (this.groups.size > 0) this.schedule();
  }

  /**
   * Decides once a turn of the event loop, after all that arrived in it has been added: deciding within `add`
   * would run the first message of a full socket buffer alone.
   */
  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.dispatch();
    });
  }

  private dispatch(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    while (this.free.length > 0 && this.groups.size > 0) {
      const { key, waitMs } = this.nextGroup();
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.dispatch(), waitMs);
        return;
      }
      const batch = this.take(key);
      if (batch.length > 0) void this.run(batch);
    }
  }

  /** Of the groups that need not wait, the one whose head is oldest; else the one that has to wait least. */
  private nextGroup(): { key: string; waitMs: number } {
    const now = performance.now();
    const isAnyExpected = (this.options.expected?.() ?? 0) > 0;
    let next = { key: '', waitMs: Infinity, since: Infinity };
    for (const [key, group] of this.groups) {
      const since = group.first?.since ?? 0;
      const mayWait = isAnyExpected && group.length < this.options.maxSize;
      const waitMs = mayWait ? Math.max(0, since + this.options.maxWaitMs - now) : 0;
      if (waitMs < next.waitMs || (waitMs === next.waitMs && since < next.since))
        next = { key, waitMs, since };
    }
    return next;
  }

  private take(key: string): Waiting<T, R>[] {
    const group = this.groups.get(key);
    const batch = group?.take(this.options.maxSize) ?? [];
    if (group?.length === 0) this.groups.delete(key);
    const { refuse } = this.options;
    if (!refuse) return batch;
    return batch.filter((waiting) => {
      const refusal = refuse(waiting.item);
      if (refusal) waiting.reject(refusal);
      return !refusal;
    });
  }

  private async run(batch: readonly Waiting<T, R>[]): Promise<void> {
    const runner = this.free.pop();
    if (!runner) return;
    try {
      answer(batch, await runner(batch.map(({ item }) => item)));
    } catch (error) {
      for (const waiting of batch) waiting.reject(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.free.push(runner);
      this.dispatch();
    }
  }
}

function answer<T, R>(batch: readonly Waiting<T, R>[], answers: readonly (R | Error)[]): void {
  if (answers.length !== batch.length)
    throw new Error(`the runner gave ${answers.length} answers for a batch of ${batch.length}`);
  batch.forEach((waiting, index) => {
    const value = answers[index] as R | Error;
    if (value instanceof Error) waiting.reject(value);
    else waiting.resolve(value);
  });
}
