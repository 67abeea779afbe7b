import { type LogLine, WorkerProcess } from '../../src/cli/worker-process.js';
import { Signal } from './load/signal.js';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

/** Keeps a worker running, as Kubernetes would: whenever it ends, the next one starts after a growing wait. */
export class Supervisor {
  /** All workers so far; the last one is the present one. */
  readonly workers: WorkerProcess[] = [];
  /** Ends other than with exit code 0. */
  crashes = 0;
  private readonly changes = new Signal();
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  /**
   * @param env the worker's settings
   * @param entry a command that starts the worker
   */
  constructor(
    private readonly env: Readonly<Record<string, string>>,
    private readonly entry: readonly string[] = [],
  ) {
    this.startNext();
  }

  /** The present worker, or the one that has just ended. */
  get worker(): WorkerProcess {
    return this.workers.at(-1) as WorkerProcess;
  }

  /** The log lines of all workers so far. */
  get logs(): LogLine[] {
    return this.workers.flatMap(({ logs }) => logs);
  }

  /** Resolves when that many workers have been started in all. */
  async started(count: number): Promise<WorkerProcess> {
    await this.changes.until(() => this.workers.length >= count);
    return this.workers[count - 1] as WorkerProcess;
  }

  /** Ends the worker for good. @returns its exit code; null when a signal ended it */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.isStopped = true;
    clearTimeout(this.timer);
    return this.worker.stop(signal);
  }

  private startNext(): void {
    const worker = new WorkerProcess(this.env, this.entry);
    this.workers.push(worker);
    this.changes.poke();
    void worker.ended().then((code) => {
      if (this.isStopped) return;
      if (code !== 0) this.crashes++;
      const waitMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (this.workers.length - 1));
      this.timer = setTimeout(() => this.startNext(), waitMs);
    });
  }
}
