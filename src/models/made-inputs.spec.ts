import { describe, expect, it } from '@jest/globals';
import { ModelSignature } from '../protocol/rows.js';
import { TensorSpec } from '../protocol/tensor.js';
import { Guess, guessesFor, madeRow, seededRandom } from './made-inputs.js';

const tensor = (
  name: string,
  datatype: TensorSpec['datatype'],
  ...shape: TensorSpec['shape']
): TensorSpec => ({
  name,
  datatype,
  shape,
});
const modelOf = (mayBatch: boolean, ...inputs: TensorSpec[]): ModelSignature => ({
  name: 'm',
  inputs,
  outputs: [],
  hasOpenRows: mayBatch,
  mayBatch,
});

const firstGuess = guessesFor(modelOf(true, tensor('x', 'FP32', 'n', 4)))[0] as Guess;
const random = () => seededRandom(7);

describe('made inputs', () => {
  it('are one row of the model’s dimensions, without the batch dimension', () => {
    const model = modelOf(true, tensor('x', 'FP32', 'n', 2, 3), tensor('flag', 'BOOL', 'n'));
    const row = madeRow(model, 'small', firstGuess, random());
    expect(row).toMatchObject({ dims: [[2, 3], []], first: 0, count: 1, isWhole: false });
    expect(row.tensors.map(({ length }) => length)).toEqual([6, 1]);
  });

  it('are whole tensors where the model takes no rows', () => {
    const model = modelOf(false, tensor('x', 'FP32', 1, 3));
    expect(madeRow(model, 'small', firstGuess, random())).toMatchObject({ dims: [[1, 3]], isWhole: true });
  });

  it('guess the open dimensions, all alike, and three channels of a picture', () => {
    const texts = modelOf(
      true,
      tensor('ids', 'INT64', 'n', 'length'),
      tensor('mask', 'INT64', 'n', 'length'),
    );
    const picture = modelOf(true, tensor('x', 'FP32', 'n', 'channels', 'h', 'w'));
    for (const guess of guessesFor(texts)) {
      const [ids, mask] = madeRow(texts, 'small', guess, random()).dims;
      expect(ids).toEqual(mask);
      expect(madeRow(picture, 'small', guess, random()).dims[0]?.[0]).toBe(3);
    }
  });

  it('are the same at each start, and differ from row to row', () => {
    const model = modelOf(true, tensor('x', 'FP32', 'n', 4));
    const made = random();
    const [one, other] = [
      madeRow(model, 'small', firstGuess, made),
      madeRow(model, 'small', firstGuess, made),
    ];
    expect(one).toEqual(madeRow(model, 'small', firstGuess, random()));
    expect(one.tensors).not.toEqual(other.tensors);
  });

  it('hold no 0 where whole numbers may be sizes and steps: ONNX Runtime dies of some', () => {
    const model = modelOf(false, tensor('signal', 'FP32', 1, 128, 1), tensor('step', 'INT64'));
    for (const guess of guessesFor(model))
      for (const kind of ['zeros', 'small'] as const)
        expect(madeRow(model, kind, guess, random()).tensors[1]).not.toContain(0n);
  });

  it('hold small whole numbers only but for ids: larger ones are in no vocabulary, or sizes that take memory', () => {
    const largest = { small: 2n, wide: 2n, huge: 2n, ids: 49n } as const;
    const model = modelOf(true, tensor('ids', 'INT64', 'n', 50));
    for (const guess of guessesFor(model))
      for (const kind of ['small', 'wide', 'huge', 'ids'] as const)
        for (const id of madeRow(model, kind, guess, random()).tensors[0] as BigInt64Array)
          expect(id).toBeLessThanOrEqual(largest[kind]);
  });
});
