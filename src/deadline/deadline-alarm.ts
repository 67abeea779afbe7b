import { Clock, REAL_TIME } from '../clock.js';

/** Node takes a longer timeout for one of a millisecond. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * One timer for many deadlines, which is set for the earliest of them. What no longer waits for its deadline need not
 * be taken out: the alarm then rings once for nothing.
 */
export class DeadlineAlarm {
  private earliest = Infinity;
  private callOff: () => void = () => {};

  /**
   * @param onRing deals with what has passed (also with nothing: timers may ring up to a millisecond early), and says
   * which deadline is the earliest of those that have not; Infinity: there is none
   */
  constructor(
    private readonly onRing: (now: number) => number,
    private readonly clock: Clock = REAL_TIME,
  ) {}

  /** Rings by that deadline, in ms on the alarm's clock. */
  set(deadline: number): void {
    if (deadline >= this.earliest) return;
    this.callOff();
    this.earliest = deadline;
    const ms = Math.max(0, Math.ceil(deadline - this.clock.now()));
    this.callOff = this.clock.after(Math.min(ms, LONGEST_TIMEOUT_MS), () => {
      this.earliest = Infinity;
      this.set(this.onRing(this.clock.now()));
    });
  }
}
