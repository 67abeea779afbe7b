import { Clock, REAL_TIME } from '../clock.js';
import { DeadlineAlarm } from './deadline-alarm.js';

/** Watches over what waits and has a deadline: says so, once and at once, when that has passed. All share one timer. */
export class DeadlineWatch<T> {
  private readonly deadlines = new Map<T, number>();
  private readonly alarm: DeadlineAlarm;

  constructor(
    private readonly onPassed: (waiting: T, deadline: number) => void,
    clock: Clock = REAL_TIME,
  ) {
    this.alarm = new DeadlineAlarm((now) => this.sweep(now), clock);
  }

  /** @param deadline in ms, on the clock of `performance.now()` */
  begin(waiting: T, deadline: number): void {
    this.deadlines.set(waiting, deadline);
    this.alarm.set(deadline);
  }

  /** It waits no longer. */
  end(waiting: T): void {
    this.deadlines.delete(waiting);
  }

  private sweep(now: number): number {
    let earliest = Infinity;
    for (const [waiting, deadline] of this.deadlines) {
      if (deadline > now) earliest = Math.min(earliest, deadline);
      else {
        this.deadlines.delete(waiting);
        this.onPassed(waiting, deadline);
      }
    }
    return earliest;
  }
}
