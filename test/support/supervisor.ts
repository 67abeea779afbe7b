import { setTimeout as delay } from 'node:timers/promises';
import { type WorkerProcess } from '../../src/cli/worker-process.js';
import { eventually } from './eventually.js';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 1_000;

/** Starts a worker again each time it dies, with growing delays, as an orchestrator would. */
export class Supervisor {
  /** All workers so far; the last is the present one. */
  readonly workers: WorkerProcess[] = [];
  /** How often one died without being asked to. */
  deaths = 0;
  private isStopping = false;
  private readonly watching: Promise<void>;

  constructor(private readonly launch: () => WorkerProcess) {
    this.workers.push(launch());
    this.watching = this.watch();
  }

  get current(): WorkerProcess {
    return this.workers.at(-1) as WorkerProcess;
  }

  /** What all of them logged. */
  get logged(): string[] {
    return this.workers.flatMap(({ logs }) => logs.map(({ msg }) => msg));
  }

  /** Resolves with the present worker once it consumes; where it has died, with the next. */
  async consuming(): Promise<WorkerProcess> {
    for (;;) {
      const worker = this.current;
      const hasDied = worker.ended().then(() => false);
      if (
        await Promise.race([
          hasDied,
          worker.consuming().then(
            () => true,
            () => false,
          ),
        ])
      )
        return worker;
      await eventually(
        () => Promise.resolve(this.current),
        (current) => current !== worker,
      );
    }
  }

  /** Ends the present worker, and starts no other. @returns its exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.isStopping = true;
    const code = await this.current.stop(signal);
    await this.watching;
    return code;
  }

  private async watch(): Promise<void> {
    for (;;) {
      await this.current.ended();
      if (this.isStopping) return;
      await delay(Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.deaths++));
      if (this.isStopping) return;
      this.workers.push(this.launch());
    }
  }
}
