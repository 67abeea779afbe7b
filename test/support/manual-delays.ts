import { afterAll, beforeAll } from '@jest/globals';
import { Deferred, deferred } from './deferred.js';

/** Puts `setTimeout` into the hands of the tests of the enclosing file or `describe`: delays end when a test says so. */
export class ManualDelays {
  private readonly begun: { ms: number; end: Deferred<void> }[] = [];
  private onStart: (() => void) | undefined;

  constructor() {
    const real = globalThis.setTimeout;
    beforeAll(() => {
      const start = async (callback: () => void, ms: number) => {
        await this.start(ms);
        callback();
      };
      globalThis.setTimeout = start as unknown as typeof setTimeout;
    });
    afterAll(() => {
      globalThis.setTimeout = real;
    });
  }

  /** How many delays have not ended. */
  get running(): number {
    return this.begun.length;
  }

  /** Resolves once a delay has started that has not ended. */
  async started(): Promise<void> {
    if (this.begun.length === 0) await new Promise<void>((resolve) => (this.onStart = resolve));
  }

  /** Waits for the next delay to start, if none has, ends it, and says how long it was to be. */
  async end(): Promise<number> {
    await this.started();
    const delay = this.begun.shift();
    delay?.end.resolve();
    return delay?.ms ?? NaN;
  }

  private start(ms: number): Promise<void> {
    const end = deferred();
    this.begun.push({ ms, end });
    this.onStart?.();
    return end.promise;
  }
}
