import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

// Ends the process at SIGTERM and SIGINT until Nest's shutdown hooks are in force. Any other process would end by itself,
// but the kernel drops a signal that process 1 of a container does not handle: the worker would go on, until the
// orchestrator kills it. So main.ts imports this file first, and all that takes time to load only after it.

export const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

if (hasMissedSignal()) end();
for (const signal of END_SIGNALS) process.on(signal, end);

/** Leaves both signals to Nest's shutdown hooks. Call it when they are in force. */
export function leaveSignalsToNest(): void {
  for (const signal of END_SIGNALS) process.off(signal, end);
}

/** Exits with 0, as after a drain: a worker that has nothing in hand and ends when told to has not failed. */
function end(): void {
  process.exit(0);
}

/**
 * True where process 1 got a signal while Node itself started. Node handles both signals once: its handler removes itself
 * and raises the signal again, which the kernel then drops. So exactly one of the two has no handler any more.
 */
function hasMissedSignal(): boolean {
  if (process.pid !== 1) return false;
  try {
    const [, caught = ''] = /^SigCgt:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    const handled = END_SIGNALS.filter(
      (name) => (BigInt(`0x${caught}`) >> BigInt(constants.signals[name] - 1)) & 1n,
    );
    return handled.length === 1;
  } catch {
    return false; // there is no /proc
  }
}
