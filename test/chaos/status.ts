import { Progress, startProgress } from '../../src/cli/progress.js';
import { Ledger } from '../faults/load/ledger.js';
import { PlannedFault } from './schedule.js';
import { Sample } from './timeline.js';

const PLAIN_EVERY_S = 30;
/** What waits for longer is called overdue. */
const OVERDUE_MS = 60_000;

/** Says how the run is going: on a terminal a line that changes each second, elsewhere a line now and then. */
export class Status {
  private readonly progress: Progress;
  private seconds = 0;
  private faults = 0;
  private present: PlannedFault | undefined;

  constructor(
    private readonly totalS: number,
    private readonly ledger: Ledger,
  ) {
    this.progress = startProgress('chaos', totalS);
  }

  sampled({ results, waiting }: Sample): void {
    this.seconds++;
    if (!process.stderr.isTTY && this.seconds % PLAIN_EVERY_S !== 0) return;
    this.show(`${results} msg/s, ${waiting} in flight, ${this.soFar}`);
  }

  begins(fault: PlannedFault): void {
    this.faults++;
    this.present = fault;
    const { number, kind, lastsMs } = fault;
    this.show(`fault ${number}: ${kind.name}${lastsMs > 0 ? ` for ${(lastsMs / 1000).toFixed(1)} s` : ''}`);
  }

  ends(): void {
    this.present = undefined;
  }

  stop(): void {
    this.progress.stop();
  }

  private get soFar(): string {
    const left = Math.max(0, this.totalS - this.seconds);
    const overdue = this.ledger.waitingFor(OVERDUE_MS);
    const now = this.present ? ` (now ${this.present.kind.name})` : '';
    return `${this.faults} faults${now}, ${overdue} overdue, ${this.ledger.duplicates} twice, ${left} s left`;
  }

  private show(note: string): void {
    this.progress.update(Math.min(this.seconds, this.totalS), note);
  }
}
