import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { runBisecting } from './bisect.js';

interface Item {
  readonly value: number;
  readonly isBad: boolean;
}

/** A run that fails whole when it holds a bad item, as ONNX Runtime does. */
class FragileRun {
  count = 0;

  readonly run = async (items: readonly Item[]): Promise<number[]> => {
    this.count++;
    const bad = items.filter(({ isBad }) => isBad).map(({ value }) => value);
    if (bad.length > 0) throw new Error(`cannot run with ${bad.join(', ')}`);
    return items.map(({ value }) => value * 2);
  };
}

const items = (flags: readonly boolean[]): Item[] => flags.map((isBad, value) => ({ value, isBad }));

describe('runBisecting', () => {
  it('runs once when nothing fails', async () => {
    const fragile = new FragileRun();
    expect(await runBisecting(items([false, false, false]), fragile.run)).toEqual([0, 2, 4]);
    expect(fragile.count).toBe(1);
  });

  it('fails exactly the bad items, each with the error of a run of its own, and keeps the order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 70 }), async (flags) => {
        const answers = await runBisecting(items(flags), new FragileRun().run);
        expect(answers).toEqual(
          flags.map((isBad, value) => (isBad ? new Error(`cannot run with ${value}`) : value * 2)),
        );
      }),
    );
  });

  it('finds one bad item among 64 with at most 2·log2(64) further runs', async () => {
    for (let bad = 0; bad < 64; bad++) {
      const fragile = new FragileRun();
      await runBisecting(items(Array.from({ length: 64 }, (_, value) => value === bad)), fragile.run);
      expect(fragile.count).toBeLessThanOrEqual(13);
    }
  });

  it('never runs two halves at the same time', async () => {
    let running = 0;
    const run = async (batch: readonly Item[]): Promise<number[]> => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      return new FragileRun().run(batch);
    };
    const answers = await runBisecting(items([true, false, true, false]), run);
    expect(answers.map((answer) => answer instanceof Error)).toEqual([true, false, true, false]);
  });

  it('gives an Error even where the run throws none', async () => {
    const answers = await runBisecting([1], () => Promise.reject('a text'));
    expect(answers).toEqual([new Error('a text')]);
  });
});
