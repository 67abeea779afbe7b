import { Contestant } from './contestants.js';
import { Effort, rotated, Step } from './plan.js';
import { COMPARISON, comparisonSteps } from './suites/comparison.suite.js';
import { IDLE, idleSteps, RATE, rateSteps } from './suites/live.suite.js';
import { BARE, EVENT_LOOP, eventLoopStep, Models, MODELS, modelSteps } from './suites/models.suite.js';
import { MEMORY, memoryStep, WAITING, waitingSteps } from './suites/queue.suite.js';
import {
  BODY,
  bodySteps,
  CONCURRENCY,
  concurrencySteps,
  IO_WAIT,
  ioWaitSteps,
} from './suites/sweeps.suite.js';
import { RIVALS, SIDE_BY_SIDE, sideBySideSteps } from './suites/side-by-side.suite.js';
import { Workload } from './workload.js';

/** Every suite, and what a reader has to know of it. */
export const SUITES: Readonly<Record<string, string>> = {
  [COMPARISON]: 'all contestants, by I/O wait in ms; latency at a constant rate, the rest from a backlog',
  [IDLE]: 'one message at a time, by I/O wait in ms; latency is the whole round trip',
  [RATE]:
    'onnxmq at a constant rate, by % of saturation; I/O wait 50 ms, latency from the intended send time',
  [IO_WAIT]: 'onnxmq by I/O wait in ms, default settings',
  [CONCURRENCY]: 'onnxmq by messages in hand at once; I/O wait 50 ms',
  [BODY]: 'onnxmq by numbers in a row, a model that hardly computes',
  [MODELS]: 'onnxmq by number of workers, for models that differ in what they compute',
  [BARE]:
    'a bare loop around session.run, and onnxmq on messages of 64 rows as binary tensors; in rows, not messages',
  [EVENT_LOOP]: 'onnxmq with a model that takes 100 ms a row, heartbeats of 5 s',
  [WAITING]: 'onnxmq by messages waiting in the queue; I/O wait 50 ms',
  [SIDE_BY_SIDE]: 'onnxmq and another at once on one processor, by I/O wait in ms; CPU µs/msg is onnxmq’s',
  [MEMORY]: 'onnxmq on a long backlog, by messages waiting at first; I/O wait 50 ms',
};

/** Those in which each contestant is at work. */
export const SMOKE_SUITES: readonly string[] = [COMPARISON, BARE, EVENT_LOOP];

export interface Workloads extends Models {
  /** For the sweep of body sizes. */
  readonly means: readonly Workload[];
}

/**
 * All steps, round by round.
 *
 * @param isAgainst only the contestants side by side, of which the first is this build
 */
export function planOf(
  contestants: readonly Contestant[],
  workloads: Workloads,
  effort: Effort,
  isAgainst: boolean,
): Step[] {
  const { digits, means } = workloads;
  if (isAgainst)
    return inRounds(effort, (round) => sideBySideSteps(contestants.slice(1), digits, effort, round));
  const rivals = effort.sweeps === 'all' ? contestants.filter(({ name }) => RIVALS.includes(name)) : [];
  const compared = comparisonSteps(contestants, digits, effort);
  const others = [
    ...idleSteps(digits, effort),
    ...rateSteps(digits, effort),
    ...ioWaitSteps(digits, effort),
    ...concurrencySteps(digits, effort),
    ...bodySteps(means, effort),
    ...modelSteps(workloads, effort),
    eventLoopStep(workloads, effort),
    memoryStep(digits, effort),
    ...waitingSteps(digits, effort),
  ];
  return inRounds(effort, (round) => [
    ...rotated(compared, (round * compared.length) / effort.rounds),
    ...sideBySideSteps(rivals, digits, effort, round),
    ...others,
  ]);
}

function inRounds({ rounds }: Effort, stepsOf: (round: number) => readonly Omit<Step, 'round'>[]): Step[] {
  return Array.from({ length: rounds }, (_, round) =>
    stepsOf(round).map((step) => ({ ...step, round })),
  ).flat();
}
