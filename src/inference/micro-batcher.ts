import { Clock, REAL_TIME } from '../clock.js';
import { DeadlineAlarm } from '../deadline/deadline-alarm.js';
import { Fifo } from './fifo.js';

/** A promise keeps its item waiting, not the runner: the next batch may run. */
type Answer<R> = R | Error | Promise<R>;

/**
 * Runs a batch: one value or Error for each item, in the order of the items. A rejection, or an answer of
 * another length, fails every item.
 *
 * @param refuse gives an item its error now, ahead of the batch's answers
 */
export type RunBatch<T, R> = (
  items: readonly T[],
  refuse: (item: T, error: Error) => void,
) => Promise<readonly Answer<R>[]>;

/** Items that wait only so long. */
export interface ItemDeadline<T> {
  /** In ms, on the batcher's clock; undefined: it waits as long as it takes. */
  of(item: T): number | undefined;
  /** The answer to an item whose deadline has passed while it waited. */
  error(item: T): Error;
}

export interface MicroBatcherOptions<T> {
  /** Largest batch handed to a runner; an item that is larger runs alone. */
  readonly maxSize: number;
  /** While false, each item runs alone, and waits for no other. Default: always true. */
  readonly mayShare?: () => boolean;
  /** What an item counts for in a batch. Default: 1. */
  readonly sizeOf?: (item: T) => number;
  /** Longest wait for company, in ms, counted from the oldest waiting item. */
  readonly maxWaitMs: number;
  /** How many items may still come soon: while none may, nothing waits for company. Default: none. */
  readonly expected?: () => number;
  /** Only items of the same group share a batch. Default: all do. */
  readonly groupOf?: (item: T) => string;
  /** Until when items may wait: then each is answered at once, and runs in no batch. Default: none has a deadline. */
  readonly deadline?: ItemDeadline<T>;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly size: number;
  readonly since: number;
  resolve(value: R | Promise<R>): void;
  reject(error: Error): void;
}

/** What may share a batch, oldest first. */
class Group<T, R> {
  readonly waiting = new Fifo<Waiting<T, R>>();
  /** Of all that wait. */
  size = 0;
}

/**
 * Turns single items into batches by pull: whenever a runner is free it takes what waits, so batches grow by
 * themselves under load. Knows nothing of tensors or messages.
 */
export class MicroBatcher<T, R> {
  private readonly groups = new Map<string, Group<T, R>>();
  private readonly free: RunBatch<T, R>[];
  private isScheduled = false;
  private callOffWait: () => void = () => {};
  private readonly alarm: DeadlineAlarm;

  /** @param runners each runs one batch at a time */
  constructor(
    runners: readonly RunBatch<T, R>[],
    private readonly options: MicroBatcherOptions<T>,
    private readonly clock: Clock = REAL_TIME,
  ) {
    this.free = [...runners];
    this.alarm = new DeadlineAlarm((now) => this.refuseLate(now), clock);
  }

  /** Resolves with the item's own answer, or rejects with its own error. */
  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      const key = this.options.groupOf?.(item) ?? '';
      const size = this.options.sizeOf?.(item) ?? 1;
      let group = this.groups.get(key);
      if (!group) this.groups.set(key, (group = new Group()));
      group.size += size;
      group.waiting.push({ item, size, since: this.clock.turnNow(), resolve, reject });
      const deadline = this.options.deadline?.of(item);
      if (deadline !== undefined) this.alarm.set(deadline);
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
    this.clock.nextTurn(() => {
      this.isScheduled = false;
      this.dispatch();
    });
  }

  private dispatch(): void {
    this.callOffWait();
    while (this.free.length > 0 && this.groups.size > 0) {
      const { key, waitMs } = this.nextGroup();
      if (waitMs > 0) {
        this.callOffWait = this.clock.after(waitMs, () => this.dispatch());
        return;
      }
      const batch = this.take(key);
      if (batch.length > 0) void this.run(batch);
    }
  }

  private get mayShare(): boolean {
    return this.options.mayShare?.() ?? true;
  }

  /** Of the groups that need not wait, the one whose head is oldest; else the one that has to wait least. */
  private nextGroup(): { key: string; waitMs: number } {
    const now = this.clock.now();
    const isAnyExpected = this.mayShare && (this.options.expected?.() ?? 0) > 0;
    let next = { key: '', waitMs: Infinity, since: Infinity };
    for (const [key, { waiting, size }] of this.groups) {
      const since = waiting.first?.since ?? 0;
      const mayWait = isAnyExpected && size < this.options.maxSize;
      const waitMs = mayWait ? Math.max(0, since + this.options.maxWaitMs - now) : 0;
      if (waitMs < next.waitMs || (waitMs === next.waitMs && since < next.since))
        next = { key, waitMs, since };
    }
    return next;
  }

  private take(key: string): Waiting<T, R>[] {
    const group = this.groups.get(key) as Group<T, R>;
    const maxSize = this.mayShare ? this.options.maxSize : 0;
    let taken = 0;
    const batch = group.waiting.takeWhile(({ size }) => {
      if (taken > 0 && taken + size > maxSize) return false;
      taken += size;
      return true;
    });
    group.size -= taken;
    if (group.waiting.length === 0) this.groups.delete(key);
    if (!this.options.deadline) return batch;
    const now = this.clock.now(); // the alarm may be late: a long run holds up the event loop
    return batch.filter((waiting) => !this.isRefused(waiting, now));
  }

  /** Answers what has waited beyond its deadline. @returns the earliest deadline of what still waits */
  private refuseLate(now: number): number {
    let earliest = Infinity;
    for (const [key, group] of this.groups) {
      group.waiting.extract((waiting) => {
        const isRefused = this.isRefused(waiting, now);
        if (isRefused) group.size -= waiting.size;
        else earliest = Math.min(earliest, this.options.deadline?.of(waiting.item) ?? Infinity);
        return isRefused;
      });
      if (group.waiting.length === 0) this.groups.delete(key);
    }
    return earliest;
  }

  private isRefused(waiting: Waiting<T, R>, now: number): boolean {
    const { deadline } = this.options;
    const isLate = deadline !== undefined && (deadline.of(waiting.item) ?? Infinity) <= now;
    if (isLate) waiting.reject(deadline.error(waiting.item));
    return isLate;
  }

  private async run(batch: readonly Waiting<T, R>[]): Promise<void> {
    const runner = this.free.pop();
    if (!runner) return;
    const refuse = (item: T, error: Error) => batch.find((waiting) => waiting.item === item)?.reject(error);
    try {
      const items = batch.map(({ item }) => item);
      answer(batch, await runner(items, refuse));
    } catch (error) {
      for (const waiting of batch) waiting.reject(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.free.push(runner);
      this.dispatch();
    }
  }
}

function answer<T, R>(batch: readonly Waiting<T, R>[], answers: readonly Answer<R>[]): void {
  if (answers.length !== batch.length)
    throw new Error(`the runner gave ${answers.length} answers for a batch of ${batch.length}`);
  batch.forEach((waiting, index) => {
    const value = answers[index] as Answer<R>;
    if (value instanceof Error) waiting.reject(value);
    else waiting.resolve(value);
  });
}
