import { setTimeout as delay } from 'node:timers/promises';
import { FaultLab } from '../faults/fault-lab.js';
import { brokenInvariants } from '../faults/invariants.js';
import { LedgerCounts } from '../faults/load/ledger.js';
import { within } from '../faults/patience.js';
import { FaultRecord } from './fault-record.js';
import { FaultRunner } from './fault-runner.js';
import { PlannedFault } from './schedule.js';
import { Status } from './status.js';
import { Sample, Timeline } from './timeline.js';

/** The system is left alone for as long after each fault. */
const CALM_MS = 1_500;
/** Nothing that is on its way stays away for longer. */
const QUIET_MS = 60_000;
const DRAIN_PATIENCE_MS = 300_000;

export interface ChaosPlan {
  readonly minutes: number;
  readonly ratePerS: number;
  readonly schedule: readonly PlannedFault[];
}

/** What a run has shown. */
export interface ChaosOutcome {
  readonly faults: readonly FaultRecord[];
  readonly counts: LedgerCounts;
  readonly duplicateBound: number;
  readonly ranMs: number;
  readonly drainMs: number;
  readonly samples: readonly Sample[];
  readonly broken: readonly string[];
}

/** Lets the faults come, one after the other, under load; then lets all come to rest, and takes stock. */
export async function runChaos(lab: FaultLab, plan: ChaosPlan, signal: AbortSignal): Promise<ChaosOutcome> {
  const { load } = lab;
  const totalMs = plan.minutes * 60_000;
  const status = new Status(totalMs / 1000, load.ledger);
  load.start();
  const timeline = new Timeline(lab, (sample) => status.sampled(sample));
  const runner = new FaultRunner(lab, timeline, plan.ratePerS, signal);
  const faults: FaultRecord[] = [];
  /** False when the signal or the end comes first. */
  const waitUntil = async (atMs: number) => {
    const ms = Math.min(atMs, totalMs) - timeline.nowMs;
    if (ms > 0) await delay(ms, undefined, { signal }).catch(() => {});
    return !signal.aborted && timeline.nowMs < totalMs;
  };
  for (const fault of plan.schedule) {
    if (!(await waitUntil(Math.max(fault.atMs, timeline.nowMs + CALM_MS)))) break;
    status.begins(fault);
    const record = await runner.run(fault);
    status.ends();
    faults.push(record);
    if (record.problem) break; // what does not recover cannot show anything any more
  }
  await waitUntil(faults.at(-1)?.problem ? 0 : totalMs);
  const ranMs = timeline.nowMs;
  const stock = await takeStock(lab, plan, timeline, faults);
  status.stop();
  return { faults, samples: timeline.samples, ranMs, ...stock };
}

type Stock = Pick<ChaosOutcome, 'counts' | 'duplicateBound' | 'drainMs' | 'broken'>;

async function takeStock(
  lab: FaultLab,
  plan: ChaosPlan,
  timeline: Timeline,
  faults: readonly FaultRecord[],
): Promise<Stock> {
  const { load } = lab;
  const endedAt = performance.now();
  const problems = faults.flatMap(({ number, kind, problem }) =>
    problem ? [`fault ${number} (${kind}): ${problem}`] : [],
  );
  let exitCodes: (number | null)[] = [];
  let requestsLeft = 0;
  let drainMs = 0;
  let isReady = false;
  try {
    await within(load.settled(QUIET_MS), DRAIN_PATIENCE_MS, 'all requests have an outcome');
    drainMs = performance.now() - endedAt;
    isReady = await lab.untilSeen(() => lab.watches.every((watch) => watch.isReady), QUIET_MS);
    timeline.stop();
    exitCodes = await within(lab.stopWorkers(), QUIET_MS, 'the workers end');
    ({ requestsLeft } = await within(load.drain(), QUIET_MS, 'the queues are read'));
  } catch (error) {
    problems.push(`it does not come to rest: ${(error as Error).message}`);
  }
  timeline.stop();
  lab.expect(...endsAsExpected(lab, plan.schedule.slice(0, faults.length)));
  const counts = load.ledger.counts();
  const duplicateBound = faults.reduce((sum, fault) => sum + fault.duplicateBound, 0);
  const recoveryMs = faults.length === 0 ? 0 : faults.at(-1)?.recoveryMs;
  const brokerLogs = await Promise.all(lab.nodes.map((node) => node.log().catch(() => '')));
  const faultAt = timeline.startedAt;
  const stock = { counts, duplicateBound, requestsLeft, exitCodes, brokerLogs, recoveryMs };
  const outcome = { ...stock, isReady, faultAt, restedAt: endedAt + drainMs };
  const broken = brokenInvariants({ endsWorker: true }, lab, outcome);
  return { counts, duplicateBound, drainMs, broken: [...problems, ...broken] };
}

/** No worker ends but by a fault. */
function endsAsExpected(lab: FaultLab, faults: readonly PlannedFault[]): [boolean, string] {
  const ends = lab.supervisors.reduce((sum, { workers }) => sum + workers.length - 1, 0);
  const most = faults.reduce((sum, { kind }) => sum + (kind.workerEnds ?? 0), 0);
  return [ends <= most, `I6: the workers ended ${ends} times, at most ${most} by faults`];
}
