import { describe, expect, it } from '@jest/globals';
import { deferred } from '../../../test/support/deferred.js';
import { Moves } from './moves.js';

const FAST = 1e6;

describe('moves', () => {
  it('are under way only so many at once', async () => {
    const moves = new Moves(FAST, 2, new AbortController().signal);
    const first = deferred();
    for (const move of [first.promise, deferred().promise]) {
      expect(await moves.turn()).toBe(true);
      moves.begin(move);
    }
    let isTurn = false;
    const third = moves.turn().then(() => (isTurn = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isTurn).toBe(false);
    first.resolve();
    await third;
    expect(moves.done).toBe(1);
  });

  it('begin at the given rate', async () => {
    const moves = new Moves(100, 100, new AbortController().signal);
    const startedAt = performance.now();
    for (let count = 0; count < 21; count++) await moves.turn();
    const elapsedMs = performance.now() - startedAt;
    expect(elapsedMs).toBeGreaterThanOrEqual(170); // 20 intervals of 10 ms, but for what may be caught up
  });

  it('stop at the first failure, which is known then', async () => {
    const moves = new Moves(FAST, 1, new AbortController().signal);
    await moves.turn();
    moves.begin(Promise.reject(new Error('refused')));
    expect(await moves.turn()).toBe(false);
    expect(moves.failure?.message).toBe('refused');
    expect(moves.done).toBe(0);
  });

  it('stop at an interrupt, also while they wait for room or for their moment', async () => {
    const interrupt = new AbortController();
    const full = new Moves(FAST, 1, interrupt.signal);
    await full.turn();
    full.begin(deferred().promise);
    const slow = new Moves(0.001, 1, interrupt.signal);
    await slow.turn();
    const turns = [full.turn(), slow.turn()];
    interrupt.abort();
    expect(await Promise.all(turns)).toEqual([false, false]);
  });

  it('are settled when none is under way, or when that takes too long', async () => {
    const moves = new Moves(FAST, 9, new AbortController().signal);
    moves.begin(Promise.resolve());
    await moves.settled(60_000);
    expect(moves.done).toBe(1);
    moves.begin(deferred().promise);
    await moves.settled(1);
    expect(moves.done).toBe(1);
  });
});
