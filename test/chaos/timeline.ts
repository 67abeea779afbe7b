import { FaultLab } from '../faults/fault-lab.js';

const INTERVAL_MS = 1_000;
/** What is waiting changes faster than anybody wants to read. */
const WATCH_MS = 100;

/** A second of the run. */
export interface Sample {
  /** Since the start of the run. */
  readonly atMs: number;
  /** Results that came in this second. */
  readonly results: number;
  /** Acknowledged requests without an outcome. */
  readonly waiting: number;
  /** Workers that said in this second that they were not ready. */
  readonly notReady: number;
}

/** Writes down what comes of the load, second by second. */
export class Timeline {
  readonly samples: Sample[] = [];
  /** Most requests that waited at once since it was set to 0. */
  mostWaiting = 0;
  readonly startedAt = performance.now();
  private lastOk: number;
  private readonly timers: NodeJS.Timeout[];

  constructor(
    private readonly lab: FaultLab,
    onSample: (sample: Sample) => void,
  ) {
    this.lastOk = lab.load.ledger.ok;
    this.timers = [
      setInterval(() => onSample(this.take()), INTERVAL_MS),
      setInterval(() => this.watch(), WATCH_MS),
    ];
  }

  get nowMs(): number {
    return performance.now() - this.startedAt;
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  private watch(): void {
    this.mostWaiting = Math.max(this.mostWaiting, this.lab.load.ledger.waiting);
  }

  private take(): Sample {
    const { ok, waiting } = this.lab.load.ledger;
    const since = performance.now() - INTERVAL_MS;
    const notReady = this.lab.watches.filter((watch) => (watch.notReadyAt.at(-1) ?? 0) > since).length;
    const sample = { atMs: Math.round(this.nowMs), results: ok - this.lastOk, waiting, notReady };
    this.lastOk = ok;
    this.samples.push(sample);
    return sample;
  }
}
