import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * CPUs that this process may use: the container's quota where there is one (cgroup v2 `cpu.max`, v1
 * `cpu.cfs_quota_us`), else what the scheduler's affinity allows. May be a fraction.
 *
 * Node's `availableParallelism()` and ONNX Runtime both overlook the quota, so pools sized by them are throttled.
 */
export function availableCpus(read: (path: string) => string = readText): number {
  const [quota, period] =
    numbersIn(() => read('/sys/fs/cgroup/cpu.max')) ??
    numbersIn(
      () => `${read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')} ${read('/sys/fs/cgroup/cpu/cpu.cfs_period_us')}`,
    ) ??
    [];
  const byAffinity = availableParallelism();
  return quota && period && quota > 0 ? Math.min(quota / period, byAffinity) : byAffinity;
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

function numbersIn(text: () => string): number[] | undefined {
  try {
    const numbers = text().trim().split(/\s+/).map(Number);
    return numbers.every(Number.isFinite) ? numbers : undefined; // "max 100000": no quota
  } catch {
    return undefined;
  }
}
