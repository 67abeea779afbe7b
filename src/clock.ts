import { turnNow } from './turn-clock.js';

/** Time in the hands of whoever gives it: the event loop's, or in tests one that stands still until told. */
export interface Clock {
  /** In ms. */
  now(): number;
  /** When this turn of the event loop first asked, in ms: cheaper than {@link now}, and good enough for waits. */
  turnNow(): number;
  /** Calls back after so many ms. @returns what calls it off */
  after(ms: number, callback: () => void): () => void;
  /** Calls back in the next turn of the event loop. */
  nextTurn(callback: () => void): void;
}

/** Real time, on the clock of `performance.now()`. */
export const REAL_TIME: Clock = {
  now: () => performance.now(),
  turnNow,
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  nextTurn: (callback) => void setImmediate(callback),
};
