import { availableParallelism } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { availableCpus } from './cpu-quota.js';

const V2 = '/sys/fs/cgroup/cpu.max';
const V1_QUOTA = '/sys/fs/cgroup/cpu/cpu.cfs_quota_us';
const V1_PERIOD = '/sys/fs/cgroup/cpu/cpu.cfs_period_us';

/** What `availableCpus` makes of a machine with these files. */
function cpusWith(files: Record<string, string>): number {
  return availableCpus((path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: ${path}`);
    return text;
  });
}

describe('availableCpus', () => {
  it('is the quota of cgroup v2, which may be a fraction', () => {
    expect(cpusWith({ [V2]: '50000 100000\n' })).toBe(0.5);
  });

  it('is the quota of cgroup v1', () => {
    expect(cpusWith({ [V1_QUOTA]: '25000\n', [V1_PERIOD]: '100000\n' })).toBe(0.25);
  });

  it('takes v2 before v1', () => {
    expect(cpusWith({ [V2]: '50000 100000', [V1_QUOTA]: '25000', [V1_PERIOD]: '100000' })).toBe(0.5);
  });

  it.each([
    ['there is no cgroup', {}],
    ['v2 has no quota', { [V2]: 'max 100000\n' }],
    ['v1 has no quota', { [V1_QUOTA]: '-1\n', [V1_PERIOD]: '100000\n' }],
    ['the quota is more than the machine has', { [V2]: '99999999 100000\n' }],
    ['the file is empty', { [V2]: '' }],
  ])('is what the scheduler allows when %s', (_, files: Record<string, string>) => {
    expect(cpusWith(files)).toBe(availableParallelism());
  });

  it('reads this machine without failing', () => {
    expect(availableCpus()).toBeGreaterThan(0);
    expect(availableCpus()).toBeLessThanOrEqual(availableParallelism());
  });
});
