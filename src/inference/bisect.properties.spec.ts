import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { runBisecting } from './bisect.js';

const MAX_ITEMS = 70;

/** Runs all or none, and writes down what it was asked to run. */
class FragileRun {
  readonly runs: (readonly number[])[] = [];

  constructor(private readonly bad: ReadonlySet<number>) {}

  readonly run = async (items: readonly number[]): Promise<number[]> => {
    this.runs.push(items);
    const bad = items.filter((item) => this.bad.has(item));
    if (bad.length > 0) throw new Error(`cannot run with ${bad.join(', ')}`);
    return items.map((item) => item * 2);
  };
}

/**
 * The least runs that halving allows: a part must run unless its failure is known beforehand. It is when the whole failed
 * and the other half did not; and a single item must run even then, for an error of its own.
 */
function leastRuns(flags: readonly boolean[], isKnownBad = false): number {
  const isBad = flags.includes(true);
  const own = isKnownBad && flags.length > 1 ? 0 : 1;
  if (!isBad || flags.length === 1) return own;
  const [left, right] = [flags.slice(0, flags.length >> 1), flags.slice(flags.length >> 1)];
  return own + leastRuns(left) + leastRuns(right, !left.includes(true));
}

const someBad = fc.integer({ min: 1, max: MAX_ITEMS }).chain((length) =>
  fc.oneof(
    fc.array(fc.boolean(), { minLength: length, maxLength: length }),
    fc
      .uniqueArray(fc.nat(length - 1), { maxLength: 3 }) // few, as it will be
      .map((bad) => Array.from({ length }, (_, item) => bad.includes(item))),
  ),
);

async function bisect(flags: readonly boolean[]) {
  const bad = new Set([...flags.keys()].filter((item) => flags[item]));
  const fragile = new FragileRun(bad);
  return { bad, answers: await runBisecting([...flags.keys()], fragile.run), runs: fragile.runs };
}

/** Holds a promise against thousands of sets of bad items. */
function holds(promise: (flags: readonly boolean[]) => Promise<void>) {
  return fc.assert(fc.asyncProperty(someBad, promise), { numRuns: 3000 });
}

describe('runBisecting, whatever items are bad,', () => {
  it('fails exactly those, each with the error of a run of its own, and gives the others their results in order', () =>
    holds(async (flags) => {
      const { answers } = await bisect(flags);
      expect(answers).toEqual(
        flags.map((isBad, item) => (isBad ? new Error(`cannot run with ${item}`) : item * 2)),
      );
    }));

  it('runs each bad item alone once, and no good item twice with success', () =>
    holds(async (flags) => {
      const { bad, runs } = await bisect(flags);
      for (const item of bad)
        expect(runs.filter(([first, ...rest]) => first === item && !rest.length)).toHaveLength(1);
      const succeeded = runs.filter((items) => !items.some((item) => bad.has(item))).flat();
      expect(succeeded.toSorted((a, b) => a - b)).toEqual([...flags.keys()].filter((item) => !bad.has(item)));
    }));

  it('does so in the least runs that halving allows', () =>
    holds(async (flags) => {
      expect((await bisect(flags)).runs).toHaveLength(leastRuns(flags));
    }));

  it('does so in at most 1 + 2·b·⌈log2 n⌉ runs for b bad items among n', () =>
    holds(async (flags) => {
      const { bad, runs } = await bisect(flags);
      expect(runs.length).toBeLessThanOrEqual(1 + 2 * bad.size * Math.ceil(Math.log2(flags.length)));
    }));
});
