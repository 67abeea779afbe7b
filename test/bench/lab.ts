import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { cpus as processors, totalmem } from 'node:os';
import { join } from 'node:path';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';

/** What the image runs; every Node contestant runs on it. */
const NODE_VERSION = '24.21.0';
/** What is got or built once. */
export const CACHE_FOLDER = join(PROJECT_FOLDER, 'node_modules/.cache/onnxmq-bench');
const WORKER_MEMORY_BYTES = 512 * 1024 * 1024;

export interface NodeBinary {
  readonly path: string;
  readonly version: string;
}

/** Where contestants run, and what keeps them from each other. */
export interface Lab {
  /** Processors of broker and load generator; empty where they cannot be told apart. */
  readonly brokerCpus: readonly number[];
  /** The one of the worker; a second worker gets one of the broker's. */
  readonly workerCpu: number | undefined;
  /** The Node that every contestant runs on. */
  readonly node: NodeBinary;
  /** A line for each thing that a reader of the figures must know. */
  readonly conditions: readonly string[];
  readonly machine: string;
  /**
   * The command that runs `command` on `cpus`, within the worker's memory where that is possible.
   *
   * @param limited held to 512 MB
   */
  pinned(command: readonly string[], cpus: readonly number[], limited: boolean): string[];
  close(): void;
}

/**
 * Sets up what keeps worker and broker apart, as far as this machine allows. This process, which generates the load,
 * moves to the broker's processors.
 *
 * @param nodePath another Node for the contestants than the image's
 */
export function openLab(say: (line: string) => void, nodePath?: string): Lab {
  const conditions: string[] = [];
  const allowed = allowedCpus();
  const canPin = allowed.length > 1 && has('taskset');
  const brokerCpus = canPin ? allowed.slice(0, -1) : [];
  const workerCpu = canPin ? allowed.at(-1) : undefined;
  if (canPin) execFileSync('taskset', ['-acp', brokerCpus.join(','), String(process.pid)]);
  conditions.push(
    canPin
      ? `the worker alone on processor ${workerCpu}, broker and load generator on ${brokerCpus.join(', ')} (taskset)`
      : 'worker, broker and load generator share the processors: there is one only, or no taskset',
  );
  const group = memoryGroup();
  conditions.push(
    group
      ? 'the worker held to 512 MB (cgroup)'
      : 'the memory of the worker is not limited: no cgroup to write to',
  );
  return {
    brokerCpus,
    workerCpu,
    node: nodePath ? { path: nodePath, version: versionOf(nodePath) } : findNode(say),
    conditions,
    machine: describeMachine(allowed.length),
    pinned: (command, cpus, limited) => [
      ...(limited && group ? ['sh', '-c', `echo $$ > ${group}/cgroup.procs; exec "$@"`, 'sh'] : []),
      ...(canPin && cpus.length > 0 ? ['taskset', '-c', cpus.join(',')] : []),
      ...command,
    ],
    close: () => {
      if (group) rmdirSync(group);
    },
  };
}

function describeMachine(count: number): string {
  const model = processors()[0]?.model.trim() ?? 'unknown processor';
  return `${count} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`;
}

/** Processors that this process may run on: `0-1,4` → 0, 1, 4. */
function allowedCpus(): number[] {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** A memory cgroup for the worker, of version 1 or 2; undefined where none can be made. */
function memoryGroup(): string | undefined {
  const candidates = [
    { root: '/sys/fs/cgroup/memory', file: 'memory.limit_in_bytes' },
    { root: '/sys/fs/cgroup', file: 'memory.max' },
  ];
  for (const { root, file } of candidates) {
    const group = join(root, `onnxmq-bench-${process.pid}`);
    try {
      mkdirSync(group);
      writeFileSync(join(group, file), String(WORKER_MEMORY_BYTES));
      return group;
    } catch {
      if (existsSync(group)) rmdirSync(group);
    }
  }
  return undefined;
}

/** The Node of the image: this one, or the npm package that holds it, kept for the next time. */
function findNode(say: (line: string) => void): NodeBinary {
  const current = { path: process.execPath, version: process.version };
  const major = NODE_VERSION.split('.')[0];
  if (process.version.startsWith(`v${major}.`)) return current;
  const name = `node-${process.platform}-${process.arch}`;
  const path = join(CACHE_FOLDER, 'node_modules', name, 'bin/node');
  try {
    if (!existsSync(path)) {
      say(`getting Node ${NODE_VERSION}, which the image runs (npm package ${name})`);
      mkdirSync(CACHE_FOLDER, { recursive: true });
      execFileSync('npm', ['install', '--no-save', '--prefix', CACHE_FOLDER, `${name}@${NODE_VERSION}`], {
        stdio: 'pipe',
      });
    }
    return { path, version: versionOf(path) };
  } catch (error) {
    say(
      `Node ${NODE_VERSION} is not to be had (${(error as Error).message.split('\n')[0]}): ${process.version} it is`,
    );
    return current;
  }
}

function versionOf(path: string): string {
  return execFileSync(path, ['--version'], { encoding: 'utf8' }).trim();
}

function has(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
