import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Starts the command that follows it as process 1 of a PID namespace, as a container does. Needs root. */
export const AS_PROCESS_ONE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

/** Why the tests of process 1 cannot run here; undefined where they can. */
export const whyNoProcessOne =
  spawnSync(AS_PROCESS_ONE[0], [...AS_PROCESS_ONE.slice(1), 'true']).status === 0
    ? undefined
    : 'skipped, because `unshare --pid` is not permitted here: it needs root';

/** The process that an `unshare` starts, once it has. */
export async function childOf(unsharePid: number): Promise<number> {
  for (;;) {
    const children = readFileSync(`/proc/${unsharePid}/task/${unsharePid}/children`, 'utf8');
    if (children) return Number.parseInt(children);
    await nextTurn();
  }
}

/** The bit of SIGTERM in the masks of `/proc/<pid>/status`. */
const SIGTERM_BIT = 1n << 14n;

/**
 * Resolves when a process has a handler for SIGTERM, as Node has for its own sake from its first milliseconds on. What comes to
 * process 1 before, the kernel drops, and no program can do anything about it.
 */
export async function handlesSignals(pid: number): Promise<void> {
  for (;;) {
    const [, caught = '0'] = /^SigCgt:\s*(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    if ((BigInt(`0x${caught}`) & SIGTERM_BIT) !== 0n) return;
    await nextTurn();
  }
}

/** Sends a signal to a process, which may have ended already. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
