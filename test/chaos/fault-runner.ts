import { setTimeout as delay } from 'node:timers/promises';
import { FaultLab } from '../faults/fault-lab.js';
import { within } from '../faults/patience.js';
import { eventually } from '../support/eventually.js';
import { probe } from '../support/probes.js';
import { FaultRecord } from './fault-record.js';
import { PlannedFault } from './schedule.js';
import { Timeline } from './timeline.js';

/** For the commands of a fault: a node that starts on a busy machine takes a minute. */
const COMMAND_PATIENCE_MS = 120_000;
/** Dead peers are noticed within three heartbeats of 10 s; a worker that starts again waits 5 s at most. */
const RECOVERY_PATIENCE_MS = 120_000;
/** An answer that has been seen may still have its request's ack on the way. */
const ACK_DELAY_S = 1;

/** Brings faults about, one at a time, and sees the system recover. */
export class FaultRunner {
  constructor(
    private readonly lab: FaultLab,
    private readonly timeline: Timeline,
    private readonly ratePerS: number,
    private readonly signal: AbortSignal,
  ) {}

  /** Injects, waits, heals, and waits for results and for all workers. Never throws. */
  async run(fault: PlannedFault): Promise<FaultRecord> {
    const { lab, timeline } = this;
    const { ledger } = lab.load;
    const duplicatesBefore = ledger.duplicates;
    timeline.mostWaiting = ledger.waiting;
    const atMs = timeline.nowMs;
    const problems = [
      await this.attempt('injecting', () => fault.kind.inject(lab, fault)),
      await this.last(fault.lastsMs),
      await this.attempt('healing', () => fault.kind.heal?.(lab, fault)),
    ];
    const healedMs = timeline.nowMs;
    const recovery = await this.recovered(healedMs);
    const { number, kind, worker, node } = fault;
    return {
      number,
      kind: kind.name,
      worker,
      node,
      plannedMs: fault.atMs,
      atMs,
      healedMs,
      ...recovery,
      duplicateBound: kind.breaks * (timeline.mostWaiting + this.ratePerS * ACK_DELAY_S),
      duplicates: ledger.duplicates - duplicatesBefore,
      problem:
        [...problems, recovery.problem].filter((problem) => problem !== undefined).join('; ') || undefined,
    };
  }

  private async attempt(what: string, act: () => unknown): Promise<string | undefined> {
    try {
      await within(Promise.resolve(act()), COMMAND_PATIENCE_MS, what);
      return undefined;
    } catch (error) {
      return `${what} failed: ${(error as Error).message.trim()}`;
    }
  }

  private async last(ms: number): Promise<undefined> {
    await delay(ms, undefined, { signal: this.signal }).catch(() => {}); // interrupted
  }

  private async recovered(
    healedMs: number,
  ): Promise<Pick<FaultRecord, 'recoveryMs' | 'allReadyMs' | 'problem'>> {
    const { ledger } = this.lab.load;
    const healedAt = this.timeline.startedAt + healedMs;
    let recoveryMs: number | undefined;
    const result = ledger.changes
      .until(() => ledger.lastOkAt > healedAt)
      .then(() => (recoveryMs = ledger.lastOkAt - healedAt));
    try {
      await within(result, RECOVERY_PATIENCE_MS, 'a result after the fault');
      await within(this.allReady(), RECOVERY_PATIENCE_MS, 'all workers ready after the fault', this.signal);
      return { recoveryMs, allReadyMs: this.timeline.nowMs - healedMs };
    } catch (error) {
      return { recoveryMs, problem: this.signal.aborted ? undefined : (error as Error).message };
    }
  }

  private async allReady(): Promise<void> {
    for (const supervisor of this.lab.supervisors)
      await eventually(
        () => probe(supervisor.worker, 'ready').catch(() => undefined), // it may be about to start
        (answer) => answer?.status === 200,
      );
  }
}
