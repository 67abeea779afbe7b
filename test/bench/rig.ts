import { commandOf, Contestant, environmentOf } from './contestants.js';
import { ContestantProcess } from './contestant.process.js';
import { Lab } from './lab.js';
import { Queues } from './queues.js';
import { Workload } from './workload.js';

/** Who does what in a run. */
export interface Job {
  readonly contestant: Contestant;
  readonly workload: Workload;
  readonly ioDelayMs: number;
  /** Settings of onnxmq beside its defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Workers at once: the first on its own processor, a second on the broker's. Default: 1. */
  readonly workers?: number;
  /** Flags for Node. */
  readonly nodeFlags?: readonly string[];
  /** Sent to the workers when all consume. */
  readonly onStart?: NodeJS.Signals;
  /** Seconds between heartbeats, instead of the contestant's own. */
  readonly heartbeatS?: number;
}

/** Lab and broker, set up for runs. */
export class Rig {
  private runs = 0;

  /** @param interrupted rejects on Ctrl-C */
  constructor(
    readonly lab: Lab,
    readonly url: string,
    private readonly interrupted: Promise<never>,
    private readonly nodeFlags: readonly string[] = [],
  ) {}

  /**
   * Gives a job queues of its own. However `use` ends, no worker and no queue is left.
   *
   * @throws Error what `use` throws, or what a worker says that ends by itself
   */
  perform<T>(job: Job, use: (run: Run) => Promise<T>): Promise<T> {
    return this.performAll([job], ([run]) => use(run as Run));
  }

  /** The same with several jobs at once. */
  async performAll<T>(jobs: readonly Job[], use: (runs: readonly Run[]) => Promise<T>): Promise<T> {
    const runs: Run[] = [];
    try {
      for (const job of jobs) {
        const queues = await Queues.open(this.url, `onnxmq-bench-${process.pid}-${this.runs++}`);
        runs.push(new Run(queues, () => this.workersOf(job, queues.requests)));
      }
      return await Promise.race([use(runs), ...runs.map(({ died }) => died), this.interrupted]);
    } finally {
      await Promise.all(runs.map((run) => run.stop()));
      for (const { queues } of runs) await queues.close();
    }
  }

  /** A contestant that takes no messages: it runs until it ends, and what it said comes back. */
  async runAlone(job: Job): Promise<ContestantProcess> {
    const [worker] = this.workersOf(job, '') as [ContestantProcess];
    try {
      await Promise.race([worker.end(), this.interrupted]);
      return worker;
    } finally {
      await worker.stop();
    }
  }

  private workersOf(job: Job, requestQueue: string): ContestantProcess[] {
    const { contestant, workload, ioDelayMs, settings, heartbeatS } = job;
    const { modelsDir, model } = workload;
    const url = heartbeatS ? `${this.url}?heartbeat=${heartbeatS}` : this.url;
    const env = environmentOf(contestant, { url, requestQueue, modelsDir, model, ioDelayMs, settings });
    const command = commandOf(contestant, this.lab, [...this.nodeFlags, ...(job.nodeFlags ?? [])]);
    return Array.from({ length: job.workers ?? 1 }, (_, index) => {
      const cpus = index === 0 ? [this.lab.workerCpu ?? 0] : this.lab.brokerCpus;
      return new ContestantProcess(this.lab.pinned(command, cpus, true), env);
    });
  }
}

/** One run: queues, and the workers at work on them. */
export class Run {
  /** Rejects when a worker ends before it is stopped. */
  readonly died: Promise<never>;
  private fail: (error: unknown) => void = () => {};
  private workers: readonly ContestantProcess[] = [];
  private isStopped = false;

  constructor(
    readonly queues: Queues,
    private readonly spawn: () => ContestantProcess[],
  ) {
    this.died = new Promise((_, reject) => (this.fail = reject));
    this.died.catch(() => {}); // it may not be waited for any more
  }

  /** Resolves when all workers consume. */
  async start(): Promise<void> {
    if (this.isStopped) throw new Error('it was stopped before it started');
    this.workers = this.spawn();
    for (const worker of this.workers) worker.ended().catch((error) => this.isStopped || this.fail(error));
    await Promise.all(this.workers.map((worker) => worker.consuming()));
  }

  signal(signal: NodeJS.Signals): void {
    for (const worker of this.workers) worker.signal(signal);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }

  /** User and system time of all workers so far, in µs. */
  get cpuUs(): number {
    return this.workers.reduce((sum, worker) => sum + worker.cpuUs, 0);
  }

  /** Of the largest worker, so far. */
  get peakRssMb(): number {
    return Math.max(...this.workers.map((worker) => worker.peakRssBytes)) / 1e6;
  }

  /** Of the last worker to be ready. */
  get readyMs(): number {
    return Math.max(...this.workers.map(({ readyMs }) => readyMs));
  }

  /** What the workers said so far; what they say on their way out comes with {@link stop}. */
  get said() {
    return this.workers.flatMap(({ said }) => said);
  }

  /** Rows in a batch, of all batches up to the end. */
  get meanBatch(): number {
    const total = (name: string) => this.workers.reduce((sum, worker) => sum + worker.total(name), 0);
    return total('rows') / total('batches');
  }
}
