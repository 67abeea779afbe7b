import { describe, expect, it } from '@jest/globals';
import { KillSwitch } from './kill-switch.js';

const none = () => 0;

/** What the switch says to so many failures in a row. */
const failures = (killSwitch: KillSwitch, count: number) =>
  Array.from({ length: count }, () => killSwitch.failed());

describe('KillSwitch', () => {
  it('concludes nothing from fewer than ten failures', () => {
    expect(failures(new KillSwitch(1, none), 10)).toEqual([...Array<boolean>(9).fill(false), true]);
  });

  it.each([
    [50, 10, true],
    [50, 11, false],
    [10, 90, true],
    [10, 91, false],
    [100, 0, true],
    [100, 1, false],
  ])('at %i percent, ten failures beside %i successes trip it: %s', (percent, successes, trips) => {
    const killSwitch = new KillSwitch(percent, () => successes);
    expect(failures(killSwitch, 10).at(-1)).toBe(trips);
  });

  it('never trips when it is off', () => {
    expect(failures(new KillSwitch('off', none), 100)).not.toContain(true);
  });

  it('holds nothing against a new span that was in the last one', () => {
    const killSwitch = new KillSwitch(50, () => 1000);
    failures(killSwitch, 9);
    killSwitch.startSpan();
    expect(failures(killSwitch, 9)).not.toContain(true);
    expect(killSwitch.summary).toBe('9 of 9 messages failed');
    expect(killSwitch.failed()).toBe(true);
  });
});
