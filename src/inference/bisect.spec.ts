import { describe, expect, it } from '@jest/globals';
import { runBisecting } from './bisect.js';

interface Item {
  readonly value: number;
  readonly isBad: boolean;
}

/** A run that fails whole when it holds a bad item, as ONNX Runtime does. */
class FragileRun {
  readonly sizes: number[] = [];

  readonly run = async (items: readonly Item[]): Promise<number[]> => {
    this.sizes.push(items.length);
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
    expect(fragile.sizes).toEqual([3]);
  });

  it('does not run a half whole that is known to fail, for the whole has failed and the other half has not', async () => {
    const fragile = new FragileRun();
    const flags = Array.from({ length: 64 }, (_, value) => value === 63);
    await runBisecting(items(flags), fragile.run);
    expect(fragile.sizes).toEqual([64, 32, 16, 8, 4, 2, 1, 1]);
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
