import { cpus } from 'node:os';
import { FaultLab } from '../../faults/fault-lab.js';
import { LedgerCounts } from '../../faults/load/ledger.js';
import { ChaosOutcome } from '../chaos-run.js';
import { FaultRecord } from '../fault-record.js';
import { ChaosOptions } from '../options.js';
import { PlannedFault } from '../schedule.js';
import { Sample } from '../timeline.js';

/** What is known before the run. */
export interface ChaosAbout {
  readonly startedAt: Date;
  readonly broker: string;
  readonly schedule: readonly PlannedFault[];
  readonly options: ChaosOptions & { readonly seed: number };
}

export interface WorkerReport {
  /** Processes so far, the first included. */
  readonly starts: number;
  /** Ends other than with exit code 0. */
  readonly crashes: number;
  readonly peakRssMb: number;
  /** Seconds in which it said that it was not ready. */
  readonly notReadyS: number;
  readonly livenessFailures: readonly string[];
}

/** All that is known of a run: the content of chaos.json. */
export interface ChaosReport {
  /** ISO 8601. */
  readonly date: string;
  /** Repeats the schedule. */
  readonly command: string;
  readonly machine: string;
  readonly node: string;
  readonly broker: string;
  readonly seed: number;
  readonly ratePerS: number;
  readonly ranMs: number;
  /** From the last request until each had its outcome. */
  readonly drainMs: number;
  readonly counts: LedgerCounts;
  readonly duplicateBound: number;
  readonly broken: readonly string[];
  readonly schedule: readonly ScheduledReport[];
  readonly faults: readonly FaultRecord[];
  readonly workers: readonly WorkerReport[];
  readonly samples: readonly Sample[];
  /** Of the process that keeps the ledger. */
  readonly ownRssMb: number;
}

interface ScheduledReport {
  readonly number: number;
  readonly kind: string;
  readonly atMs: number;
  readonly lastsMs: number;
}

export function reportOf(lab: FaultLab, outcome: ChaosOutcome, about: ChaosAbout): ChaosReport {
  const { options, startedAt, broker, schedule } = about;
  return {
    date: startedAt.toISOString(),
    command: commandOf(options),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'}`,
    node: process.version,
    broker,
    seed: options.seed,
    ratePerS: options.rate,
    schedule: schedule.map(({ number, kind, atMs, lastsMs }) => ({ number, kind: kind.name, atMs, lastsMs })),
    workers: lab.watches.map((watch, index) => ({
      starts: lab.supervisors[index]?.workers.length ?? 0,
      crashes: lab.supervisors[index]?.crashes ?? 0,
      peakRssMb: Math.round(watch.peakRssMb ?? 0),
      notReadyS: new Set(watch.notReadyAt.map((at) => Math.floor(at / 1000))).size,
      livenessFailures: watch.livenessFailures,
    })),
    ownRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
    ...outcome,
  };
}

function commandOf({ minutes, seed, workers, rate, broker, faults }: ChaosAbout['options']): string {
  const words = [`--minutes ${minutes}`, `--seed ${seed}`, `--workers ${workers}`, `--rate ${rate}`];
  if (broker) words.push(`--broker ${broker}`);
  if (faults) words.push(`--faults ${faults.join(',')}`);
  return `npm run chaos -- ${words.join(' ')}`;
}
