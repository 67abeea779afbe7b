import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { SharedDelay } from './shared-delay.js';

/** The end of a turn of the event loop, in which no time passes. */
const turn = () => jest.advanceTimersByTime(0);

describe('SharedDelay', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    jest.runAllTimers(); // the turn that has begun ends
    jest.useRealTimers();
  });

  it('resolves after as long as was asked for, not before', async () => {
    const delay = new SharedDelay();
    let isOver = false;
    void delay.of(50).then(() => (isOver = true));
    await jest.advanceTimersByTimeAsync(49);
    expect(isOver).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(isOver).toBe(true);
  });

  it('shares a timer among waits that begin in one millisecond and last equally long', () => {
    const delay = new SharedDelay();
    const waits = Array.from({ length: 100 }, () => {
      const wait = delay.of(50);
      turn();
      return wait;
    });
    expect(new Set(waits).size).toBe(1);
    expect(jest.getTimerCount()).toBe(1);
  });

  it('shares none between waits of different length, nor of different milliseconds', () => {
    const delay = new SharedDelay();
    const waits = [delay.of(50), delay.of(20)];
    jest.advanceTimersByTime(1);
    waits.push(delay.of(50));
    expect(new Set(waits).size).toBe(3);
  });

  it('shares none with a wait that is over', async () => {
    const delay = new SharedDelay();
    const first = delay.of(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(delay.of(1)).not.toBe(first);
  });

  it('lets nobody wait longer than asked for, nor less by a millisecond or more, whoever waits besides', () => {
    const asking = fc.record({ afterMs: fc.nat(3), durationMs: fc.integer({ min: 1, max: 6 }) });
    return fc.assert(
      fc.asyncProperty(fc.array(asking, { maxLength: 40 }), async (askings) => {
        const delay = new SharedDelay();
        const off: number[] = [];
        for (const { afterMs, durationMs } of askings) {
          await jest.advanceTimersByTimeAsync(afterMs);
          const since = performance.now();
          void delay.of(durationMs).then(() => off.push(performance.now() - since - durationMs));
        }
        await jest.runAllTimersAsync();
        expect(off).toHaveLength(askings.length);
        for (const ms of off) {
          expect(ms).toBeLessThanOrEqual(0);
          expect(ms).toBeGreaterThan(-1);
        }
      }),
    );
  });
});
