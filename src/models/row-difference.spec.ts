import { describe, expect, it } from '@jest/globals';
import { oneRow } from '../../test/support/rows.js';
import { Rows } from '../protocol/rows.js';
import { Batch } from './session.js';
import { TensorData, TensorSpec } from '../protocol/tensor.js';
import { differenceOf, doDiffer, Specimen } from './row-difference.js';

const SCORES: TensorSpec = { name: 'scores', datatype: 'FP32', shape: ['n', 'k'] };
const row = oneRow(Float32Array.of(1, 2));

/** The whole outputs of one row. */
const whole = (...tensors: TensorData[]): Rows => ({
  tensors,
  dims: tensors.map(({ length }) => [1, length]),
  first: 0,
  count: 1,
  isWhole: true,
});

/**
 * Compares one output of a row that was run with another, second. Alone with changed inputs it gives what `jiggled` says; among
 * copies of itself what `copied` does.
 */
function compare(
  alone: TensorData,
  company: TensorData,
  {
    jiggled = alone,
    copied = alone,
    rows = row,
  }: { jiggled?: TensorData | Error; copied?: TensorData; rows?: Rows } = {},
) {
  let jiggles = 0;
  const run = ({ dims }: Batch): Promise<Batch> => {
    if (dims[0]?.[0] === 2) return Promise.resolve(twice(copied));
    if (jiggled instanceof Error) return Promise.reject(jiggled);
    return Promise.resolve(batchOf(++jiggles % 2 ? jiggled : alone));
  };
  const input = { ...SCORES, datatype: rows === row ? 'FP32' : 'INT64' } as const;
  const signature = { name: 'm', inputs: [input], outputs: [SCORES], hasOpenRows: true, mayBatch: true };
  const own = { tensors: twice(company).tensors, dims: [[company.length]], first: 1, count: 1 };
  return differenceOf({ rows, alone: whole(alone) }, own, 2, { signature, parallelism: 1, run });
}

const batchOf = (data: TensorData): Batch => ({ tensors: [data], dims: [[1, data.length]] });

function twice(data: TensorData): Batch {
  const both = Array.isArray(data) ? [...data, ...data] : concat(data);
  return { tensors: [both], dims: [[2, data.length]] };
}

function concat(data: Exclude<TensorData, string[]>): TensorData {
  const both = new (data.constructor as new (length: number) => Float32Array)(2 * data.length);
  both.set(data as Float32Array);
  both.set(data as Float32Array, data.length);
  return both;
}

describe('the difference between an answer alone and in company', () => {
  it('is none within float rounding, of large numbers and near 0', async () => {
    expect(await compare(Float32Array.of(1000, 1e-9), Float32Array.of(1000.05, 3e-9))).toBeUndefined();
    expect(await compare(Float64Array.of(1e9), Float64Array.of(1e9 + 1))).toBeUndefined();
  });

  it('is told for each element by itself: a large neighbour hides no small one', async () => {
    const found = await compare(Float32Array.of(1e9, 0.5), Float32Array.of(1e9, 0.4));
    expect(found).toMatchObject({ output: 'scores', isConclusive: true });
    expect(found?.by).toBeCloseTo(0.1);
  });

  it('takes NaN and infinities for themselves only', async () => {
    const odd = Float32Array.of(NaN, Infinity, -Infinity);
    expect(await compare(odd, odd.slice())).toBeUndefined();
    expect(await compare(odd, Float32Array.of(NaN, -Infinity, -Infinity))).toMatchObject({
      isConclusive: true,
    });
    expect(await compare(Float32Array.of(1), Float32Array.of(NaN))).toMatchObject({ by: Infinity });
  });

  it('is rounding where inputs that are changed in their last places move the answer as far', async () => {
    const alone = Float32Array.of(0.5);
    expect(await compare(alone, Float32Array.of(0.52), { jiggled: Float32Array.of(0.49) })).toBeUndefined();
    expect(await compare(alone, Float32Array.of(0.7), { jiggled: Float32Array.of(0.49) })).toMatchObject({
      isConclusive: true,
    });
  });

  it('is told where the model takes no inputs that are changed in their last places', async () => {
    const jiggled = new Error('index 4 is beyond the table');
    expect(await compare(Float32Array.of(0.5), Float32Array.of(0.7), { jiggled })).toMatchObject({
      isConclusive: true,
    });
  });

  it('is a near tie where that changes the label', async () => {
    const alone = BigInt64Array.of(3n);
    expect(await compare(alone, BigInt64Array.of(5n), { jiggled: BigInt64Array.of(5n) })).toBeUndefined();
    expect(await compare(alone, BigInt64Array.of(5n))).toMatchObject({ isConclusive: true });
  });

  it('is not conclusive where the row gets the same among copies of itself', async () => {
    const company = Float32Array.of(0.7);
    expect(await compare(Float32Array.of(0.5), company, { copied: company })).toMatchObject({
      isConclusive: false,
    });
    const label = BigInt64Array.of(5n);
    expect(await compare(BigInt64Array.of(3n), label, { copied: label })).toMatchObject({
      isConclusive: false,
    });
  });

  it('allows models without floating-point inputs the rounding of their largest number near 0', async () => {
    const ids = oneRow(BigInt64Array.of(1n, 2n));
    const alone = Float32Array.of(10, 0.0001);
    expect(await compare(alone, Float32Array.of(10, 0.0004), { rows: ids })).toBeUndefined();
    expect(await compare(alone, Float32Array.of(10, 0.01), { rows: ids })).toMatchObject({
      isConclusive: true,
    });
  });

  it('is there where the outputs have other dimensions', async () => {
    expect(await compare(Float32Array.of(1, 2), Float32Array.of(1, 2, 3))).toEqual({
      output: 'scores',
      by: Infinity,
      isConclusive: true,
    });
  });

  it('is there for texts and flags that are others', async () => {
    expect(await compare(['a', 'b'], ['a', 'b'])).toBeUndefined();
    expect(await compare(['a', 'b'], ['a', 'c'])).toMatchObject({ by: Infinity });
    expect(await compare(Int32Array.of(1_000_000), Int32Array.of(1_000_001))).toMatchObject({ by: Infinity });
    expect(await compare(Uint8Array.of(1), Uint8Array.of(0))).toMatchObject({ by: Infinity });
  });
});

describe('doDiffer', () => {
  const specimen = (...data: TensorData[]): Specimen => ({ rows: row, alone: whole(...data) });

  it('says whether a swap of two answers would show', () => {
    expect(doDiffer(specimen(Float32Array.of(1, 2)), specimen(Float32Array.of(1, 2)))).toBe(false);
    expect(doDiffer(specimen(Float32Array.of(1, 2)), specimen(Float32Array.of(1, 3)))).toBe(true);
    expect(doDiffer(specimen(Float32Array.of(1), ['a']), specimen(Float32Array.of(1), ['b']))).toBe(true);
    expect(doDiffer(specimen(Float32Array.of(NaN)), specimen(Float32Array.of(NaN)))).toBe(false);
  });
});
