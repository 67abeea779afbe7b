import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type WorkerProcess } from '../../src/cli/worker-process.js';
import { probe, type ProbeName } from '../support/probes.js';
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
  /** The most messages that it had in hand, by its own account. */
  maxInHand = 0;
  /** The most memory that it ever had, in MB; `undefined` where the system does not say. */
  peakRssMb: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private isStopped = false;
  private isPaused = false;

  constructor(private readonly supervisor: Supervisor) {
    this.schedule();
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
    // Until its probes are up, it cannot be asked.
    if (this.isPaused || isEnding(worker) || !worker.logs.some(({ port }) => typeof port === 'number'))
      return;
    this.peakRssMb = Math.max(peakRssMbOf(worker.pid) ?? 0, this.peakRssMb ?? 0) || undefined;
    const [live, ready] = await Promise.all([ask(worker, 'live'), ask(worker, 'ready')]);
    if (!live.isOk && (await this.isOver(worker))) return;
    if (!live.isOk) this.livenessFailures.push(live.said);
    if (!ready.isOk) this.notReadyAt.push(performance.now());
    this.maxInHand = Math.max(this.maxInHand, live.inHand ?? 0);
  }

  /** A worker that ends stops answering a little before its end is known. */
  private async isOver(worker: WorkerProcess): Promise<boolean> {
    if (this.isStopped || isEnding(worker) || this.supervisor.worker !== worker) return true;
    const ended = worker.ended().then(() => true);
    return Promise.race([ended, delay(END_TIMEOUT_MS, false, { ref: false })]);
  }
}

interface ProbeAnswer {
  readonly isOk: boolean;
  readonly said: string;
  readonly inHand?: number;
}

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
    (error: unknown) => ({ isOk: false, said: String(error) }),
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
