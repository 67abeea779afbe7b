import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { refusalOf } from '../../test/support/refusal.js';
import { oneRow, rowsIn } from '../../test/support/rows.js';
import { TensorData } from '../protocol/tensor.js';
import { transform } from './transform.js';

type Preprocess = Omit<Parameters<typeof transform>[1], 'ioDelayMs'>;

function transformed(data: TensorData, config: Preprocess) {
  transform(oneRow(data), { ioDelayMs: 0, ...config });
  return [...data];
}

describe('transform', () => {
  it('is (x · scale − mean) / std', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -99, max: 99 }),
        fc.integer(),
        fc.integer({ min: 1 }),
        (scale, mean, std) => {
          const expected = [0, 1, -2].map((x) => (x * scale - mean) / std);
          expect(transformed(Float64Array.of(0, 1, -2), { scale, mean, std })).toEqual(expected);
        },
      ),
    );
  });

  it('leaves out what is not given', () => {
    expect(transformed(Float32Array.of(2, 4), { scale: 0.5 })).toEqual([1, 2]);
    expect(transformed(Float32Array.of(2, 4), { mean: 1 })).toEqual([1, 3]);
    expect(transformed(Float32Array.of(2, 4), { std: 2 })).toEqual([1, 2]);
    expect(transformed(Float32Array.of(2, 4), {})).toEqual([2, 4]);
  });

  it('repeats a list along the last dimension', () => {
    const config = { scale: [1, 10], mean: [0, 1], std: 2 };
    expect(transformed(Float64Array.of(2, 2, 4, 4), config)).toEqual([1, 9.5, 2, 19.5]);
  });

  it('begins a list anew with each row, and leaves the rows of others as they are', () => {
    const tensor = Float32Array.of(1, 1, 1, 2, 2, 2, 3, 3, 3);
    transform({ ...rowsIn(3, tensor), first: 1, count: 2 }, { ioDelayMs: 0, scale: [1, 10] });
    expect([...tensor]).toEqual([1, 1, 1, 2, 20, 2, 3, 30, 3]);
  });

  it('changes every tensor of numbers with a point, and no other', () => {
    const tensors = [Float32Array.of(1), BigInt64Array.of(1n), Uint8Array.of(1), ['1'], Float64Array.of(1)];
    transform(oneRow(...tensors), { ioDelayMs: 0, scale: 3 });
    expect(tensors.map((tensor) => [...tensor])).toEqual([[3], [1n], [1], ['1'], [3]]);
  });

  it.each([[[3, 4, 4]], [[3, 2, 6]], [[4, 2, 6]], [[3, 6]], [[2, 4]]])(
    'refuses a list of three for rows of shape %j, whose last dimension it does not fit',
    (dims) => {
      const tensor = new Float32Array(dims.reduce((product, dim) => product * dim));
      const rows = { tensors: [tensor], dims: [dims], first: 0, count: 1 };
      const { code, message } = refusalOf(() => transform(rows, { ioDelayMs: 0, mean: [1, 2, 3] }));
      expect(code).toBe('SHAPE_MISMATCH');
      expect(message).toContain(`[${dims.join(', ')}]`);
    },
  );

  it('takes a list for a last dimension of as many elements, or of a multiple', () => {
    for (const dims of [[4, 4, 3], [2, 6], [6]]) {
      const tensor = new Float32Array(dims.reduce((product, dim) => product * dim));
      transform({ tensors: [tensor], dims: [dims], first: 0, count: 1 }, { ioDelayMs: 0, mean: [1, 2, 3] });
      expect([...tensor.subarray(0, 4)]).toEqual([-1, -2, -3, -1]);
    }
  });
});
