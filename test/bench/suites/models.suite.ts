import { BARE_LOOP, ONNXMQ } from '../contestants.js';
import { Figures } from '../figures.js';
import { Effort, Step } from '../plan.js';
import { Results } from '../results.js';
import { Rig } from '../rig.js';
import { runBacklog, runBacklogHeard } from '../runs/backlog-run.js';
import { Workload } from '../workload.js';

export const MODELS = 'models';
export const BARE = 'bare-loop';
export const EVENT_LOOP = 'event-loop';
/** Rows in a batch, at most; and in a message that holds many. */
export const BATCH_SIZE = 64;
/** Of what onnxmq does in rows; of the bare loop it is the model's name alone. */
export const BY_ONNXMQ = 'onnxmq: mlp-29mb';
const LONG_BATCH_MS = 100;
const SHORT_HEARTBEAT_S = 5;
/** Roughly what a worker does of each, in messages a second: so many are given for each second of a run. */
const MLP_RATE = 4000;
const MLP_ROWS_RATE = 8000;
const CONVOLUTION_RATE = 400;
const SLOW_RATE = 15;
/** Of few messages, one worker is to leave some to the other. */
const FEW_IN_HAND = { CONCURRENCY: '64', PREFETCH: '64', BATCH_MAX_SIZE: String(BATCH_SIZE) };
const VERY_FEW_IN_HAND = { CONCURRENCY: '3', PREFETCH: '3', BATCH_MAX_SIZE: '1' };

export interface Models {
  readonly digits: Workload;
  readonly mlp: Workload;
  /** The same with {@link BATCH_SIZE} rows in each message, as binary tensors. */
  readonly mlpInBatches: Workload;
  readonly convolution: Workload;
  /** Takes about 100 ms a row. */
  readonly slow: Workload;
}

/** Models that differ in what they compute, with one worker and with two; a bare loop beside them. */
export function modelSteps(
  { digits, mlp, mlpInBatches, convolution, slow }: Models,
  effort: Effort,
): Omit<Step, 'round'>[] {
  const { seconds } = effort;
  const withWorkers = (
    workload: Workload,
    workers: number,
    messages: number,
    settings: Record<string, string> = {},
  ): Omit<Step, 'round'> => ({
    suite: MODELS,
    subject: workload.model,
    x: workers,
    measure: (rig) =>
      runBacklog(rig, { ...onnxmqWith(workload), workers, settings }, Math.ceil(messages) * workers),
  });
  return [
    // Not with two: where the model is cheap, the broker, on the second worker's processor, is the limit.
    withWorkers(digits, 1, effort.messages),
    ...[1, 2].flatMap((workers) => [
      withWorkers(mlp, workers, seconds * MLP_RATE),
      withWorkers(convolution, workers, seconds * CONVOLUTION_RATE, FEW_IN_HAND),
      withWorkers(slow, workers, seconds * SLOW_RATE, VERY_FEW_IN_HAND),
    ]),
    {
      suite: BARE,
      subject: BY_ONNXMQ,
      x: BATCH_SIZE,
      measure: (rig) => runInBatches(rig, mlpInBatches, effort),
    },
    ...[mlp, convolution].map((workload) => ({
      suite: BARE,
      subject: workload.model,
      x: BATCH_SIZE,
      measure: (rig: Rig, results: Results) => runBareLoop(rig, workload, results, effort),
    })),
  ];
}

/** How long batches of 100 ms, which a row of this model takes alone, keep the event loop from turning. */
export function eventLoopStep({ slow }: Models, effort: Effort): Omit<Step, 'round'> {
  return {
    suite: EVENT_LOOP,
    subject: slow.model,
    x: LONG_BATCH_MS,
    measure: (rig) => runWithLongBatches(rig, slow, effort),
  };
}

/** In rows, not messages. */
async function runInBatches(rig: Rig, workload: Workload, { seconds }: Effort): Promise<Figures> {
  const messages = Math.ceil((seconds * MLP_ROWS_RATE) / BATCH_SIZE);
  const { perSecond = NaN, cpuUs = NaN, ...others } = await runBacklog(rig, onnxmqWith(workload), messages);
  return { ...others, perSecond: perSecond * BATCH_SIZE, cpuUs: cpuUs / BATCH_SIZE };
}

/** In batches as large as onnxmq's, which may have found smaller ones to be as good. */
async function runBareLoop(
  rig: Rig,
  workload: Workload,
  results: Results,
  { seconds }: Effort,
): Promise<Figures> {
  const batch = Math.round(results.median(BARE, BY_ONNXMQ, BATCH_SIZE, 'meanBatch') ?? BATCH_SIZE);
  const settings = { BATCH_MAX_SIZE: String(batch), SECONDS: String(seconds) };
  const loop = await rig.runAlone({ contestant: BARE_LOOP, workload, ioDelayMs: 0, settings });
  const rows = loop.total('rows');
  return {
    perSecond: (rows / loop.total('elapsedMs')) * 1000,
    cpuUs: loop.total('cpuUs') / rows,
    meanBatch: batch,
  };
}

async function runWithLongBatches(rig: Rig, workload: Workload, { seconds }: Effort): Promise<Figures> {
  const probe = new URL('../contestants/event-loop-delay.js', import.meta.url).href;
  const job = {
    ...onnxmqWith(workload),
    nodeFlags: ['--import', probe],
    onStart: 'SIGUSR2' as const,
    heartbeatS: SHORT_HEARTBEAT_S,
  };
  // Up to four heartbeats long: after two that are missed, the broker closes the connection.
  const lengthMs = Math.min(4 * SHORT_HEARTBEAT_S, seconds * 4) * 1000;
  const { figures, said } = await runBacklogHeard(rig, job, Math.ceil(lengthMs / LONG_BATCH_MS));
  return {
    ...figures,
    eventLoopP99Ms: said.map(({ eventLoopP99Ms }) => Number(eventLoopP99Ms)).findLast((ms) => ms >= 0),
    lostConnections: said.filter(({ msg }) => String(msg).includes('connection lost')).length,
  };
}

function onnxmqWith(workload: Workload) {
  return { contestant: ONNXMQ, workload, ioDelayMs: 0 };
}
