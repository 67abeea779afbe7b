import { Clock } from '../../src/clock.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Lets all promises that can settle do so. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A clock that stands still, and an event loop that does not turn, until the test says so. */
export class ManualClock implements Clock {
  private time = 0;
  private turns: (() => void)[] = [];
  private readonly timers = new Set<Timer>();

  now(): number {
    return this.time;
  }

  turnNow(): number {
    return this.time;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  nextTurn(callback: () => void): void {
    this.turns.push(callback);
  }

  /** How many timers are set. */
  get timersSet(): number {
    return this.timers.size;
  }

  /** Turns the event loop until there is nothing more to do at this time. */
  async turn(): Promise<void> {
    do {
      for (const callback of this.turns.splice(0)) callback();
      await settled();
    } while (this.turns.length > 0);
  }

  /** Lets time pass, with all that is due on the way happening at its time. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await this.turn();
    for (let timer = this.next(end); timer; timer = this.next(end)) {
      this.timers.delete(timer);
      this.time = Math.max(this.time, timer.at);
      timer.callback();
      await this.turn();
    }
    this.time = end;
  }

  /** Lets time pass in which nothing can happen, as a run on the event loop does. */
  block(ms: number): void {
    this.time += ms;
  }

  private next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.timers) if (timer.at <= end && (!next || timer.at < next.at)) next = timer;
    return next;
  }
}
