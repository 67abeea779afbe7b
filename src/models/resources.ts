import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** Gives a file's text, or undefined where there is none to read. */
export type ReadText = (path: string) => string | undefined;

/**
 * The CPUs that this process may use, in whole or part: those it may run on, or fewer where its container has a quota,
 * which neither Node nor ONNX Runtime look at. More threads than that are stopped by the kernel in turn.
 */
export function availableCpus(read: ReadText = readText, parallelism = availableParallelism()): number {
  return Math.min(parallelism, ...cgroupFolders(read).map((folder) => quotaOf(folder, read)));
}

/** The memory that this process may use, in bytes: that of its container, or of the machine. */
export function availableMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/**
 * The process's own cgroup and those around it, of both versions. Within a container the path may be the host's, of
 * which only the root is to be seen: that is the container's own.
 */
function cgroupFolders(read: ReadText): string[] {
  const lines = (read('/proc/self/cgroup') ?? '').split('\n');
  return lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    if (controllers === '') return withParents('/sys/fs/cgroup', path);
    return controllers?.split(',').includes('cpu') ? withParents('/sys/fs/cgroup/cpu', path) : [];
  });
}

/** `/a/b` → `/a/b`, `/a` and the root, below `mount`. */
function withParents(mount: string, path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return [...parts.keys(), parts.length].map((depth) => [mount, ...parts.slice(0, depth)].join('/'));
}

/** A cgroup's quota in CPUs; Infinity where it has none. */
function quotaOf(folder: string, read: ReadText): number {
  const v2 = read(`${folder}/cpu.max`)?.trim().split(' ');
  const [quota, period] = v2 ?? [read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`)];
  const cpus = Number(quota) / Number(period);
  return cpus > 0 ? cpus : Infinity; // `max`, -1 or nothing: no limit
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
