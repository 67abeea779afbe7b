const FIRST_MS = 200;
/** A broker that is back is found within 3 s. */
const LONGEST_MS = 2_500;

/**
 * Growing delays with jitter, so that many workers do not return to a broker in step: half of a delay that
 * doubles from 200 ms to 2.5 s is fixed, the other half random.
 */
export class Backoff {
  private attempts = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** Delays handed out since the last reset. */
  get attempt(): number {
    return this.attempts;
  }

  /** The next delay, in ms. */
  next(): number {
    const delay = Math.min(FIRST_MS * 2 ** this.attempts++, LONGEST_MS);
    return delay / 2 + (delay / 2) * this.random();
  }

  reset(): void {
    this.attempts = 0;
  }
}
