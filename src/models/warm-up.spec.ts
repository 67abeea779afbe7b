import { describe, expect, it } from '@jest/globals';
import { BatchTiming, bestBatch, timeBatches } from './warm-up.js';

const SIZES = [1, 2, 4, 8, 16, 32, 64];

const timings = (msOf: (size: number) => number): BatchTiming[] =>
  SIZES.map((size) => ({ size, ms: msOf(size) }));

/** A model on a clock of its own: each run takes what `msOf` says of its size. */
class TimedModel {
  readonly ran: number[] = [];
  now = 0;

  constructor(private readonly msOf: (size: number, run: number) => number) {}

  time(maxBatchSize: number): Promise<BatchTiming[]> {
    const run = (size: number) => {
      this.ran.push(size);
      this.now += this.msOf(size, this.ran.length);
      return Promise.resolve();
    };
    return timeBatches(run, maxBatchSize, () => this.now);
  }
}

describe('the best batch', () => {
  it('is the largest of a model that gains by every doubling', () => {
    expect(bestBatch(timings((size) => 1 + size / 8))).toEqual({ maxBatchSize: 64, batchMs: 9 });
  });

  it('is one row of a model that gains nothing', () => {
    expect(bestBatch(timings((size) => size * 1.8))).toEqual({ maxBatchSize: 1, batchMs: 1.8 });
  });

  it('takes a millisecond at least: less is not worth making batches smaller for', () => {
    expect(bestBatch(timings((size) => size * 0.3)).maxBatchSize).toBe(4);
    expect(bestBatch(timings((size) => size * 0.01)).maxBatchSize).toBe(64);
  });

  it('is not made smaller by noise, where batches are fast', () => {
    const noise = [1, 0.6, 2, 0.5, 1.7, 2.5, 3];
    expect(bestBatch(timings((size) => 0.09 * (noise[Math.log2(size)] ?? 1))).maxBatchSize).toBe(64);
  });

  it('is the smallest that the rate no longer grows from', () => {
    expect(bestBatch(timings((size) => Math.max(8, size))).maxBatchSize).toBe(8);
  });

  it('is small where only the smallest was not interrupted', () => {
    expect(bestBatch(timings((size) => (size === 1 ? 0.5 : size * 1.5))).maxBatchSize).toBe(2);
  });

  it('is none that was too slow to be timed', () => {
    expect(bestBatch(timings((size) => 100 + size).slice(0, 2)).maxBatchSize).toBe(2);
  });
});

describe('timing batches', () => {
  it('runs each power of two and the largest size, and the first of all without timing it', async () => {
    const model = new TimedModel((_, run) => (run === 1 ? 100 : 1));
    expect(await model.time(48)).toEqual([1, 2, 4, 8, 16, 32, 48].map((size) => ({ size, ms: 1 })));
    expect(model.ran.slice(0, 8)).toEqual([1, 1, 2, 4, 8, 16, 32, 48]);
  });

  it('takes the fastest run of each size', async () => {
    const model = new TimedModel((size, run) => (run > 6 && run < 12 ? size : size * 3) / 8);
    expect(await model.time(16)).toEqual([1, 2, 4, 8, 16].map((size) => ({ size, ms: size / 8 })));
  });

  it('ends with a long batch that brings nothing over half of it', async () => {
    const model = new TimedModel((size) => size * 2);
    expect((await model.time(64)).map(({ size }) => size)).toEqual([1, 2, 4, 8]);
  });

  it('does not end with a batch that was only interrupted', async () => {
    const model = new TimedModel((size, run) => (run === 5 ? 100 : 4 + size / 8));
    expect((await model.time(64)).map(({ size }) => size)).toEqual(SIZES);
  });

  it('leaves out the sizes that a slow model would take too long for', async () => {
    const model = new TimedModel((size) => 40 + size * 8);
    expect((await model.time(64)).map(({ size }) => size)).toEqual([1, 2, 4]);
    expect(model.now).toBeLessThanOrEqual(300);
  });

  it('never leaves out one and two rows', async () => {
    const model = new TimedModel((size) => size * 1000);
    expect((await model.time(64)).map(({ size }) => size)).toEqual([1, 2]);
    expect(model.ran).toEqual([1, 1, 2]); // of which the first is not timed
  });

  it('runs a model of single rows only so', async () => {
    const model = new TimedModel(() => 1);
    expect(await model.time(1)).toEqual([{ size: 1, ms: 1 }]);
  });
});
