import { ONNXMQ } from '../contestants.js';
import { Effort, Step } from '../plan.js';
import { runBacklog } from '../runs/backlog-run.js';
import { runWithWaiting } from '../runs/waiting-run.js';
import { Workload } from '../workload.js';

export const WAITING = 'waiting';
export const MEMORY = 'memory';
export const FEW_WAITING = 1000;
const IO_MS = 50;

/** What a message costs while few wait, and while very many do. */
export function waitingSteps(digits: Workload, effort: Effort): Omit<Step, 'round'>[] {
  const job = { contestant: ONNXMQ, workload: digits, ioDelayMs: IO_MS };
  return [FEW_WAITING, effort.manyWaiting].map((waiting) => ({
    suite: WAITING,
    subject: ONNXMQ.name,
    x: waiting,
    measure: (rig) => runWithWaiting(rig, job, waiting, effort.messages),
  }));
}

/** The largest resident set on a long backlog. */
export function memoryStep(digits: Workload, { memoryWaiting }: Effort): Omit<Step, 'round'> {
  return {
    suite: MEMORY,
    subject: ONNXMQ.name,
    x: memoryWaiting,
    measure: (rig) =>
      runBacklog(rig, { contestant: ONNXMQ, workload: digits, ioDelayMs: IO_MS }, memoryWaiting),
  };
}
