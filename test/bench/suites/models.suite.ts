import { BARE_LOOP, ONNXMQ } from '../contestants.js';
import { Figures } from '../figures.js';
import { Effort, Step } from '../plan.js';
import { Rig } from '../rig.js';
import { runBacklog, runBacklogHeard } from '../runs/backlog-run.js';
import { Workload } from '../workload.js';

export const MODELS = 'models';
export const BARE = 'bare-loop';
export const EVENT_LOOP = 'event-loop';
/** Rows in a batch of both onnxmq and the bare loop. */
const BATCH_SIZE = 64;
const LONG_BATCH_MS = 100;
const SHORT_HEARTBEAT_S = 5;
/** Roughly what a worker does of each, in messages a second: so many are given for each second of a run. */
const MLP_RATE = 2000;
const CONVOLUTION_RATE = 300;
/** Two batches: of a few hundred messages, one worker is to leave some to the other. */
const FEW_IN_HAND = { CONCURRENCY: '128', PREFETCH: '128', BATCH_MAX_SIZE: String(BATCH_SIZE) };

export interface Models {
  readonly digits: Workload;
  readonly mlp: Workload;
  readonly convolution: Workload;
  /** Takes about 100 ms a row. */
  readonly slow: Workload;
}

/** Models that differ in what they compute, with one worker and with two; a bare loop beside them. */
export function modelSteps({ digits, mlp, convolution }: Models, effort: Effort): Omit<Step, 'round'>[] {
  const messages = (workload: Workload) =>
    workload === digits
      ? effort.messages
      : Math.ceil(effort.seconds * (workload === mlp ? MLP_RATE : CONVOLUTION_RATE));
  const withWorkers = (workload: Workload, workers: number): Omit<Step, 'round'> => ({
    suite: MODELS,
    subject: workload.model,
    x: workers,
    measure: (rig) =>
      runBacklog(
        rig,
        { ...onnxmqWith(workload), workers, settings: workload === convolution ? FEW_IN_HAND : {} },
        messages(workload) * workers,
      ),
  });
  return [
    ...[digits, mlp, convolution].flatMap((workload) => [
      withWorkers(workload, 1),
      // Not where the model is cheap: then the broker, on the second worker's processor, is the limit.
      ...(workload === digits ? [] : [withWorkers(workload, 2)]),
    ]),
    ...[mlp, convolution].map((workload) => ({
      suite: BARE,
      subject: workload.model,
      x: BATCH_SIZE,
      measure: (rig: Rig) => runBareLoop(rig, workload, effort),
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

async function runBareLoop(rig: Rig, workload: Workload, { seconds }: Effort): Promise<Figures> {
  const settings = { BATCH_MAX_SIZE: String(BATCH_SIZE), SECONDS: String(seconds) };
  const loop = await rig.runAlone({ contestant: BARE_LOOP, workload, ioDelayMs: 0, settings });
  return {
    perSecond: (loop.total('rows') / loop.total('elapsedMs')) * 1000,
    meanBatch: BATCH_SIZE,
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
