import { createRequire } from 'node:module';
import { Deferred, deferred } from './deferred.js';

const timers = createRequire(import.meta.url)('node:timers/promises') as { setTimeout: unknown };

/** Delays of `node:timers/promises` that end when the test says so. Jest's fake timers do not reach them. */
export class ManualDelays {
  private readonly started: { ms: number; end: Deferred<void> }[] = [];
  private onStart: (() => void) | undefined;

  /** Imports a module whose delays are these from then on. */
  async import<T>(load: () => Promise<T>): Promise<T> {
    const real = timers.setTimeout;
    timers.setTimeout = (ms: number) => this.start(ms);
    try {
      return await load();
    } finally {
      timers.setTimeout = real;
    }
  }

  /** How many delays have not ended. */
  get running(): number {
    return this.started.length;
  }

  /** Waits for the next delay to start, if none has, ends it, and says how long it was to be. */
  async end(): Promise<number> {
    if (this.started.length === 0) await new Promise<void>((resolve) => (this.onStart = resolve));
    const delay = this.started.shift();
    delay?.end.resolve();
    return delay?.ms ?? NaN;
  }

  private start(ms: number): Promise<void> {
    const end = deferred();
    this.started.push({ ms, end });
    this.onStart?.();
    return end.promise;
  }
}
