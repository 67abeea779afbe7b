import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type WorkerProcess } from '../../src/cli/worker-process.js';
import { probe, type ProbeName } from '../support/probes.js';
import { Signal } from './load/signal.js';
import { Supervisor } from './supervisor.js';

const INTERVAL_MS = 100;
const PROBE_TIMEOUT_MS = 2_000;
const END_TIMEOUT_MS = 1_000;

/** Asks a worker's probes all the time, as Kubernetes would, and looks at its memory. */
export class WorkerWatch {
  /** Answers of the liveness probe other than 200, or none in time. */
  readonly livenessFailures: string[] = [];
  /** When the worker was not ready; `performance.now()`. */
  readonly notReadyAt: number[] = [];
  /** When it was asked the last time that it said it was ready; `performance.now()`. */
  seenReadyAt = -Infinity;
  /** The messages that it had in hand when it was asked last, by its own account, and the most that it ever had. */
  inHand = 0;
  maxInHand = 0;
  /** The most memory that it ever had, in MB; `undefined` where the system does not say. */
  peakRssMb: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private isStopped = false;
  private isPaused = false;

  /** @param changes poked after each look */
  constructor(
    private readonly supervisor: Supervisor,
    private readonly changes: Signal,
  ) {
    this.schedule();
  }

  /** What the last look has shown. */
  get isReady(): boolean {
    return this.seenReadyAt > (this.notReadyAt.at(-1) ?? -Infinity);
  }

  /** Asks nothing until `resume`: the worker is about to be stopped where it is. */
  async pause(): Promise<void> {
    this.isPaused = true;
    await this.round;
  }

  resume(): void {
    this.isPaused = false;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.round;
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.round = this.look(this.supervisor.worker).finally(() => {
        if (!this.isStopped) this.schedule();
      });
    }, INTERVAL_MS);
  }

  private async look(worker: WorkerProcess): Promise<void> {
    const askedAt = performance.now();
    // Until its probes are up, it cannot be asked.
    if (this.isPaused) return;
    const canBeAsked = worker.logs.some(({ port }) => typeof port === 'number');
    if (canBeAsked) this.peakRssMb = Math.max(peakRssMbOf(worker.pid) ?? 0, this.peakRssMb ?? 0) || undefined;
    const [live, ready] = canBeAsked
      ? await Promise.all([ask(worker, 'live'), ask(worker, 'ready')])
      : [STARTING, STARTING];
    if (ready.isOk) this.seenReadyAt = askedAt;
    else this.notReadyAt.push(askedAt);
    if (canBeAsked && !live.isOk && !(await this.isOver(worker, live))) this.livenessFailures.push(live.said);
    this.inHand = live.inHand ?? 0;
    this.maxInHand = Math.max(this.maxInHand, this.inHand);
    this.changes.poke();
  }

  /** A worker that ends stops answering a little before its end is known. While it drains, it must answer. */
  private async isOver(worker: WorkerProcess, { isRefused }: ProbeAnswer): Promise<boolean> {
    if (this.isStopped || this.supervisor.worker !== worker || (isEnding(worker) && isRefused)) return true;
    const ended = worker.ended().then(() => true);
    return Promise.race([ended, delay(END_TIMEOUT_MS, false, { ref: false })]);
  }
}

interface ProbeAnswer {
  readonly isOk: boolean;
  readonly said: string;
  /** Nobody was there to answer. */
  readonly isRefused?: boolean;
  readonly inHand?: number;
}

const STARTING: ProbeAnswer = { isOk: false, said: 'it starts' };

/** Never throws: no answer is an answer, too. */
async function ask(worker: WorkerProcess, name: ProbeName): Promise<ProbeAnswer> {
  const late = delay(
    PROBE_TIMEOUT_MS,
    { isOk: false, said: `no answer in ${PROBE_TIMEOUT_MS} ms` },
    { ref: false },
  );
  const answer = probe(worker, name).then(
    ({ status, body }) => ({
      isOk: status === 200,
      said: `${status} ${JSON.stringify(body)}`,
      inHand: Number(body.details['progress']?.['inHand'] ?? 0),
    }),
    (error: unknown) => ({ isOk: false, said: String(error), isRefused: true }),
  );
  return Promise.race([answer, late]);
}

function isEnding({ logs }: WorkerProcess): boolean {
  return logs.some(({ context }) => context === 'Shutdown');
}

function peakRssMbOf(pid: number): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined; // no Linux, or the process has just ended
  }
}
