import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../test/support/manual-clock.js';
import { DeadlineAlarm } from './deadline-alarm.js';

const DAY_MS = 86_400_000;

/** An alarm for a list of deadlines, and when it rang. */
function alarmOf(deadlines: number[]) {
  const clock = new ManualClock();
  const rung: number[] = [];
  const alarm = new DeadlineAlarm((now) => {
    rung.push(now);
    return Math.min(...deadlines.filter((deadline) => deadline > now));
  }, clock);
  for (const deadline of deadlines) alarm.set(deadline);
  return { alarm, clock, rung };
}

describe('DeadlineAlarm', () => {
  it('rings at each deadline, in whatever order they were set, with one timer', async () => {
    const { clock, rung } = alarmOf([30, 10, 20]);
    expect(clock.timersSet).toBe(1);
    await clock.advance(9);
    expect(rung).toEqual([]);
    await clock.advance(91);
    expect(rung).toEqual([10, 20, 30]);
    expect(clock.timersSet).toBe(0);
  });

  it('rings at once for a deadline that has passed', async () => {
    const { clock, rung } = alarmOf([-5]);
    await clock.advance(0);
    expect(rung).toEqual([0]);
  });

  it('never rings before a deadline between two milliseconds', async () => {
    const { clock, rung } = alarmOf([10.4]);
    await clock.advance(100);
    expect(rung).toEqual([11]);
  });

  it('can be set again after it has rung', async () => {
    const { alarm, clock, rung } = alarmOf([10]);
    await clock.advance(20);
    alarm.set(25);
    await clock.advance(20);
    expect(rung).toEqual([10, 25]);
  });

  it('waits for a deadline that is further away than Node has timers for', async () => {
    const { clock, rung } = alarmOf([40 * DAY_MS]);
    await clock.advance(39 * DAY_MS);
    expect(rung).toEqual([2 ** 31 - 1]);
    await clock.advance(DAY_MS);
    expect(rung.at(-1)).toBe(40 * DAY_MS);
  });
});
