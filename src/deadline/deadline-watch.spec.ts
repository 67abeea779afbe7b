import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ManualClock } from '../../test/support/manual-clock.js';
import { DeadlineWatch } from './deadline-watch.js';

describe('DeadlineWatch', () => {
  it('says of each that waits beyond its deadline so, once and at that moment, and nothing of the others', async () => {
    const waits = fc.array(
      fc.record({ from: fc.nat(30), lasts: fc.nat(30), deadline: fc.integer({ min: -5, max: 70 }) }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(waits, async (planned) => {
        const clock = new ManualClock();
        const passed: [wait: object, at: number][] = [];
        const watch = new DeadlineWatch<object>((wait) => passed.push([wait, clock.now()]), clock);
        for (let time = 0; time <= 70; time++) {
          for (const wait of planned) if (wait.from + wait.lasts === time) watch.end(wait);
          for (const wait of planned)
            if (wait.from === time && wait.lasts > 0) watch.begin(wait, wait.deadline);
          await clock.advance(1);
        }
        // One that ends in the millisecond of its deadline has passed: the timer is first.
        const expected = planned.filter(
          ({ from, lasts, deadline }) => lasts > 0 && Math.max(from, deadline) <= from + lasts,
        );
        expect(new Set(passed.map(([wait]) => wait))).toEqual(new Set(expected));
        expect(passed).toHaveLength(expected.length);
        for (const [wait, at] of passed) {
          const { from, deadline } = wait as (typeof planned)[number];
          expect(at).toBe(Math.max(from, deadline));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('holds on to nothing that waits no longer', async () => {
    const clock = new ManualClock();
    const watch = new DeadlineWatch<number>(() => {}, clock);
    for (let key = 0; key < 100; key++) watch.begin(key, 50);
    for (let key = 0; key < 100; key++) watch.end(key);
    expect(clock.timersSet).toBe(1);
    await clock.advance(50);
    expect(clock.timersSet).toBe(0);
  });
});
