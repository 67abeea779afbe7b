/** Failures in one span below which nothing is concluded. */
const LEAST_FAILURES = 10;

/**
 * Decides when failures are nobody's own: in a span of time more than a set share of the messages failed for reasons
 * that are not theirs. Counts; does nothing by itself.
 */
export class KillSwitch {
  private failures = 0;
  private successesBefore = 0;

  /**
   * @param percent share of failures at which it trips; `off`: never
   * @param successesInTotal messages that succeeded, ever
   */
  constructor(
    private readonly percent: number | 'off',
    private readonly successesInTotal: () => number,
  ) {}

  /** A message failed for a reason that is not its own. @returns true when that is one too many */
  failed(): boolean {
    this.failures++;
    if (this.percent === 'off' || this.failures < LEAST_FAILURES) return false;
    return this.failures * 100 >= this.percent * (this.failures + this.successes);
  }

  /** What was counted, in words. */
  get summary(): string {
    return `${this.failures} of ${this.failures + this.successes} messages failed`;
  }

  /** Forgets what was counted. */
  startSpan(): void {
    this.failures = 0;
    this.successesBefore = this.successesInTotal();
  }

  private get successes(): number {
    return this.successesInTotal() - this.successesBefore;
  }
}
