import { Contestant } from '../contestants.js';
import { Figures } from '../figures.js';
import { Effort, Step } from '../plan.js';
import { Rig } from '../rig.js';
import { runBacklog } from '../runs/backlog-run.js';
import { runRate } from '../runs/live-run.js';
import { Workload } from '../workload.js';

export const COMPARISON = 'comparison';
export const COMPARED_IO_MS = [0, 50];
/** Messages a second at which all are asked for their latency; one that does one at a time gets half of what it can do. */
export const LATENCY_RATE = 1000;
/** What one message takes besides the I/O wait, one at a time; in ms. */
const SEQUENTIAL_MS = 2;

/** All contestants on the same messages: throughput and cost from a backlog, latency at a constant rate. */
export function comparisonSteps(
  contestants: readonly Contestant[],
  digits: Workload,
  effort: Effort,
): Omit<Step, 'round'>[] {
  const ioWaitsMs = effort.isSmoke ? COMPARED_IO_MS.slice(-1) : COMPARED_IO_MS;
  return ioWaitsMs.flatMap((ioDelayMs) =>
    contestants.map((contestant) => ({
      suite: COMPARISON,
      subject: contestant.name,
      x: ioDelayMs,
      measure: (rig: Rig) => compare(rig, contestant, digits, ioDelayMs, effort),
    })),
  );
}

async function compare(
  rig: Rig,
  contestant: Contestant,
  workload: Workload,
  ioDelayMs: number,
  effort: Effort,
): Promise<Figures> {
  const job = { contestant, workload, ioDelayMs };
  const backlog = await runBacklog(rig, job, messagesFor(contestant, ioDelayMs, effort));
  if (contestant.answers === false) return backlog;
  const rate = contestant.isSequential ? (backlog.perSecond ?? 0) / 2 : LATENCY_RATE;
  const { p50Ms, p90Ms, p99Ms, p999Ms, sendLagP99Ms } = await runRate(rig, job, rate, effort.seconds);
  return { ...backlog, p50Ms, p90Ms, p99Ms, p999Ms, sendLagP99Ms };
}

function messagesFor(contestant: Contestant, ioDelayMs: number, { messages, seconds }: Effort): number {
  if (!contestant.isSequential) return Math.round(messages * (contestant.share ?? 1));
  return Math.ceil(Math.min(messages / 10, (seconds * 1000) / (ioDelayMs + SEQUENTIAL_MS)));
}
