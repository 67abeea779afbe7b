import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { oneRow, rowsIn } from '../../test/support/rows.js';
import { ModelSignature, Rows } from '../protocol/rows.js';
import { cut, joined, partsOf, runTogether } from './batch.js';
import { Batch, Session } from './session.js';

const scores = { name: 'scores', datatype: 'FP32', shape: ['n', 2] } as const;
const texts = { name: 'texts', datatype: 'BYTES', shape: ['n', 1] } as const;
const signature: ModelSignature = {
  name: 'echo',
  inputs: [scores, texts],
  outputs: [scores, texts],
  hasOpenRows: true,
  mayBatch: true,
};

/** Gives what it gets, as `change` has it. */
function echo(change: (batch: Batch) => Batch = (batch) => batch): Session {
  return { signature, parallelism: 1, run: (batch) => Promise.resolve(change(batch)) };
}

/** So many rows, the first of them `from`: 10, 11 and '10', then 11, 12 and '11' … */
function counting(count: number, from = 10): Rows {
  const numbers = Array.from({ length: count }, (_, row) => from + row);
  return rowsIn(count, Float32Array.from(numbers.flatMap((n) => [n, n + 1])), numbers.map(String));
}

describe('cut and joined', () => {
  it('are the reverse of each other, whatever the size of the parts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 25 }), (count, maxCount) => {
        const parts = cut(counting(count), maxCount);
        for (const part of parts) expect(part.count).toBeLessThanOrEqual(maxCount);
        expect(parts).toHaveLength(Math.ceil(count / maxCount));
        expect(joined(parts, signature.inputs)).toEqual(counting(count));
      }),
    );
  });

  it('take rows from the middle of tensors', () => {
    const some = { ...counting(5), first: 1, count: 3 };
    expect(joined(cut(some, 2), signature.inputs)).toEqual(counting(3, 11));
  });
});

describe('partsOf', () => {
  const fixed = { outputs: [scores] };
  const sizesOf = (count: number, maxSize: number, model: Pick<ModelSignature, 'outputs'> = fixed) =>
    partsOf(counting(count), maxSize, model).map((part) => part.count);

  it('are one where requests of so many rows fill batches well', () => {
    for (const count of [1, 2, 8, 13, 16, 20, 21, 30, 32, 48, 50, 63, 64])
      expect(sizesOf(count, 64)).toEqual([count]);
    expect(sizesOf(128, 64)).toEqual([64, 64]);
  });

  it('are quarters of a batch otherwise', () => {
    expect(sizesOf(33, 64)).toEqual([16, 16, 1]);
    expect(sizesOf(65, 64)).toEqual([16, 16, 16, 16, 1]);
    expect(sizesOf(3, 1)).toEqual([1, 1, 1]);
  });

  it('fill batches to three quarters at least, of however many rows requests are', () => {
    const sizes = fc.record({
      maxSize: fc.integer({ min: 1, max: 64 }),
      count: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(sizes, ({ maxSize, count }) => {
        const parts = sizesOf(count, maxSize);
        const full: number[] = [];
        let used = 0;
        for (let request = 0; request < 100; request++)
          for (const size of parts) {
            if (used + size > maxSize) {
              full.push(used);
              used = 0;
            }
            used += size;
          }
        const mean = full.reduce((sum, size) => sum + size, 0) / full.length;
        if (full.length > 0) expect(mean / maxSize).toBeGreaterThanOrEqual(0.75);
      }),
    );
  });

  it('are as large as a batch takes where outputs may be wider in one batch than in another', () => {
    const open = { outputs: [{ ...scores, shape: ['n', 'longest'] }] };
    expect(sizesOf(33, 64, open)).toEqual([33]);
    expect(sizesOf(65, 64, open)).toEqual([64, 1]);
  });
});

describe('runTogether', () => {
  it('gives each request its own rows of the batch’s outputs, as many as it has', async () => {
    const requests = [counting(2, 10), counting(1, 20), counting(3, 30)];
    const outputs = await runTogether(echo(), requests);
    expect(outputs.map((own) => joined([own], signature.outputs))).toEqual(requests);
  });

  it('tells the session how many rows there are', async () => {
    let dims: Batch['dims'] = [];
    await runTogether(
      echo((batch) => ({ ...batch, dims: (dims = batch.dims) })),
      [counting(2), counting(3)],
    );
    expect(dims).toEqual([
      [5, 2],
      [5, 1],
    ]);
  });

  it.each([
    ['too few elements', oneRow(Float32Array.of(1), ['a'])],
    ['too many', oneRow(Float32Array.of(1, 2, 3), ['a'])],
    ['rows that are not there', { ...counting(2), count: 3 }],
    ['rows beyond its tensors', { ...counting(2), first: 2, count: 1 }],
  ])('refuses what a preprocessor has made wrong: %s', async (_, rows) => {
    const wrong = { ...rows, dims: [[2], [1]] };
    await expect(runTogether(echo(), [counting(1), wrong])).rejects.toThrow(
      /'(scores|texts)' has \d elements; its dimensions say \d a row, for \d/,
    );
  });

  it('refuses rows of other dimensions than their batch-mates’, also of twice as many elements', async () => {
    const wide = oneRow(Float32Array.of(1, 2, 3, 4), ['a']);
    const wrong = "'scores' has rows of [2] and of [4], which cannot be put together";
    await expect(runTogether(echo(), [counting(1), wide])).rejects.toThrow(wrong);
    const folded = { ...counting(1), dims: [[1, 2], [1]] };
    await expect(runTogether(echo(), [counting(1), folded])).rejects.toThrow('rows of [2] and of [1, 2]');
  });

  it('takes rows that are scalars, and gives them', async () => {
    const scalars: Rows = { tensors: [BigInt64Array.of(7n, 8n, 9n)], dims: [[]], first: 1, count: 2 };
    const spec = { name: 'x', datatype: 'INT64', shape: ['n'] } as const;
    const scalar = { ...echo(), signature: { ...signature, inputs: [spec], outputs: [spec] } };
    const [outputs] = await runTogether(scalar, [scalars]);
    expect(outputs).toEqual({ tensors: [BigInt64Array.of(8n, 9n)], dims: [[]], first: 0, count: 2 });
  });

  it('refuses outputs of another number of rows than the inputs', async () => {
    const short = echo(({ tensors }) => ({ tensors, dims: [[1, 2], [1, 1]] })); // prettier-ignore
    await expect(runTogether(short, [counting(2)])).rejects.toThrow("'scores' has 1 rows for a batch of 2");
  });
});
