import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { turnNow } from './turn-clock.js';

describe('turnNow', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    jest.runAllTimers(); // the turn that has begun ends
    jest.useRealTimers();
  });

  it('is the time of its first asking in a turn of the event loop', () => {
    const first = turnNow();
    expect(first).toBe(performance.now());
    expect(turnNow()).toBe(first);
    jest.advanceTimersByTime(5);
    expect(turnNow()).toBe(first + 5);
  });

  it('starts no timer but the one that ends the turn', () => {
    turnNow();
    turnNow();
    expect(jest.getTimerCount()).toBe(1);
    jest.runAllTimers();
    expect(jest.getTimerCount()).toBe(0);
  });
});
