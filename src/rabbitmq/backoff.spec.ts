import { describe, expect, it } from '@jest/globals';
import { Backoff } from './backoff.js';

describe('Backoff', () => {
  it('doubles from 200 ms and stays at 2.5 s', () => {
    const backoff = new Backoff(() => 1);
    expect(Array.from({ length: 7 }, () => backoff.next())).toEqual([200, 400, 800, 1600, 2500, 2500, 2500]);
  });

  it('leaves at most half of a delay to chance', () => {
    expect(new Backoff(() => 0).next()).toBe(100);
  });

  it('starts anew after a reset', () => {
    const backoff = new Backoff(() => 1);
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(backoff.next()).toBe(200);
    expect(backoff.attempt).toBe(1);
  });
});
