import { setTimeout as delay } from 'node:timers/promises';

/** What a late timer may catch up on: timers are no finer than 1 ms. */
const CATCH_UP_MS = 20;

/** Work that is begun at a steady rate, and of which only so much is under way. Knows the first failure. */
export class Moves {
  /** Those that have succeeded. */
  done = 0;
  failure: Error | undefined;
  private dueAt = performance.now();
  private readonly underWay = new Set<Promise<void>>();
  private readonly interrupted: Promise<void>;

  constructor(
    private readonly ratePerSecond: number,
    private readonly maxUnderWay: number,
    private readonly signal: AbortSignal,
  ) {
    this.interrupted = new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  }

  /** Waits for the next one's turn: @returns false when there is none, after an interrupt or a failure. */
  async turn(): Promise<boolean> {
    while (this.underWay.size >= this.maxUnderWay && this.mayGoOn)
      await Promise.race([this.interrupted, ...this.underWay]);
    const now = performance.now();
    if (this.dueAt - now >= 1)
      await delay(this.dueAt - now, undefined, { signal: this.signal }).catch(() => {});
    this.dueAt = Math.max(this.dueAt, now - CATCH_UP_MS) + 1000 / this.ratePerSecond;
    return this.mayGoOn;
  }

  begin(move: Promise<void>): void {
    const ended: Promise<void> = move
      .then(
        () => void this.done++,
        (error: Error) => void (this.failure ??= error),
      )
      .finally(() => this.underWay.delete(ended));
    this.underWay.add(ended);
  }

  /** Resolves when none is under way any more, or after that time. */
  async settled(timeoutMs: number): Promise<void> {
    await Promise.race([Promise.all(this.underWay), delay(timeoutMs, undefined, { ref: false })]);
  }

  private get mayGoOn(): boolean {
    return !this.signal.aborted && this.failure === undefined;
  }
}
