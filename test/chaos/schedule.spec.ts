import { describe, expect, it } from '@jest/globals';
import { FaultKind } from './fault-kind.js';
import { PlannedFault, scheduleOf } from './schedule.js';

const kind = (name: string, lastsMs?: FaultKind['lastsMs']): FaultKind => ({
  name,
  about: '',
  lastsMs,
  breaks: 0,
  inject: () => {},
});
const KINDS = [kind('kill'), kind('freeze', [1_000, 15_000]), kind('cut', [500, 500])];
const MINUTE_MS = 60_000;

const schedule = (options: { seed?: number; minutes?: number } = {}) =>
  scheduleOf({ seed: 1, minutes: 30, kinds: KINDS, workers: 2, nodes: 3, ...options });
const gapsMs = (faults: readonly PlannedFault[]) =>
  faults.map(({ atMs }, index) => atMs - (faults[index - 1]?.atMs ?? 0));

describe('the schedule of a chaos run', () => {
  it('is the same for the same seed', () => {
    expect(schedule({ seed: 7 })).toEqual(schedule({ seed: 7 }));
  });

  it('is another one for another seed', () => {
    expect(schedule({ seed: 7 })).not.toEqual(schedule({ seed: 8 }));
  });

  it('has a fault every 20 to 40 seconds', () => {
    const gaps = gapsMs(schedule());
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(20_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(40_000);
    expect(gaps.length).toBeGreaterThan(40);
  });

  it('has several faults also in a minute', () => {
    expect(schedule({ minutes: 1 }).length).toBeGreaterThanOrEqual(6);
  });

  it('ends every fault before the run ends', () => {
    for (const minutes of [1, 5, 30])
      for (const { atMs, lastsMs } of schedule({ minutes }))
        expect(atMs + lastsMs).toBeLessThanOrEqual(minutes * MINUTE_MS);
  });

  it('has each kind as often as any other, within one', () => {
    const names = schedule().map((fault) => fault.kind.name);
    const times = KINDS.map(({ name }) => names.filter((one) => one === name).length);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1);
  });

  it('has faults last as long as their kind may, and concern workers and nodes that there are', () => {
    const faults = schedule();
    for (const {
      lastsMs,
      kind: { lastsMs: [min, max] = [0, 0] },
    } of faults) {
      expect(lastsMs).toBeGreaterThanOrEqual(min);
      expect(lastsMs).toBeLessThanOrEqual(max);
    }
    expect(new Set(faults.map(({ worker }) => worker))).toEqual(new Set([0, 1]));
    expect(new Set(faults.map(({ node }) => node))).toEqual(new Set([0, 1, 2]));
  });
});
