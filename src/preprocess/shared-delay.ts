/**
 * Waits, of which those that begin in one millisecond and last equally long share a timer and a promise: under load
 * that is one for tens of messages.
 */
export class SharedDelay {
  private startedAt = -Infinity;
  private durationMs = 0;
  private delay: Promise<void> = Promise.resolve();

  /** Resolves after `durationMs`, or up to a millisecond less, as timers are. */
  of(durationMs: number): Promise<void> {
    const now = Math.floor(performance.now());
    if (now !== this.startedAt || durationMs !== this.durationMs) {
      this.startedAt = now;
      this.durationMs = durationMs;
      this.delay = new Promise((resolve) => setTimeout(resolve, durationMs));
    }
    return this.delay;
  }
}
