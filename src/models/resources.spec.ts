import { describe, expect, it } from '@jest/globals';
import { availableCpus, availableMemory } from './resources.js';

type Files = Readonly<Record<string, string>>;

const cpusOf = (files: Files, parallelism = 16) => availableCpus((path) => files[path], parallelism);

describe('availableCpus', () => {
  it('are those that the process may run on, where there are no cgroups', () => {
    expect(cpusOf({}, 3)).toBe(3);
  });

  it.each<[string, number, Files]>([
    ['version 2', 1.5, { '0::/': 'max', '/sys/fs/cgroup/cpu.max': '150000 100000\n' }],
    [
      'version 2, seen from the host',
      2,
      { '0::/pods/one': '', '/sys/fs/cgroup/pods/one/cpu.max': '200000 100000\n' },
    ],
    [
      'version 2, of a group around it that has less',
      0.5,
      {
        '0::/pods/one/worker': '',
        '/sys/fs/cgroup/pods/one/worker/cpu.max': 'max 100000\n',
        '/sys/fs/cgroup/pods/one/cpu.max': '400000 100000\n',
        '/sys/fs/cgroup/pods/cpu.max': '50000 100000\n',
      },
    ],
    [
      'version 1',
      2,
      {
        '11:memory:/\n3:cpu,cpuacct:/docker/a': '',
        '/sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us': '400000\n',
        '/sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us': '200000\n',
      },
    ],
    [
      'version 1, of a container that does not see the path it has on the host',
      1,
      {
        '4:cpuacct,cpu:/docker/a\n0::/docker/a': '',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '100000\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
    ],
  ])('are those of the quota: %s', (_, cpus, { ...files }) => {
    const [cgroup = ''] = Object.keys(files);
    expect(cpusOf({ ...files, '/proc/self/cgroup': `${cgroup}\n` })).toBe(cpus);
  });

  it.each<[string, Files]>([
    ['version 2', { '/proc/self/cgroup': '0::/a\n', '/sys/fs/cgroup/a/cpu.max': 'max 100000\n' }],
    [
      'version 1',
      {
        '/proc/self/cgroup': '1:cpu:/\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
    ],
    ['of a controller that is not `cpu`', { '/proc/self/cgroup': '2:cpuacct:/\n' }],
    ['in files that make no sense', { '/proc/self/cgroup': 'a\n0::/', '/sys/fs/cgroup/cpu.max': '\n' }],
  ])('are not fewer where there is no quota: %s', (_, files) => {
    expect(cpusOf(files)).toBe(16);
  });

  it('are no more than the process may run on, whatever the quota', () => {
    const files = { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '800000 100000\n' };
    expect(cpusOf(files, 2)).toBe(2);
  });

  it('can be told of this machine', () => {
    expect(availableCpus()).toBeGreaterThan(0);
    expect(availableMemory()).toBeGreaterThan(0);
  });
});
