import { describe, expect, it } from '@jest/globals';
import { refusalOf } from '../../test/support/refusal.js';
import { RequestTensor } from './inference-request.js';
import { describe as describeSpec, ModelSignature, rowsOf } from './rows.js';
import { TensorSpec } from './tensor.js';

const image: TensorSpec = { name: 'image', datatype: 'FP32', shape: ['batch', 2, 2] };
const flag: TensorSpec = { name: 'flag', datatype: 'INT64', shape: ['batch'] };
const scores: TensorSpec = { name: 'scores', datatype: 'FP32', shape: ['batch', 3] };

function modelOf(inputs: readonly TensorSpec[], hasOpenRows = true): ModelSignature {
  return { name: 'm', inputs, outputs: [scores], hasOpenRows, mayBatch: hasOpenRows };
}

const tensor = (name: string, shape: readonly number[], data: unknown, datatype = 'FP32'): RequestTensor => ({
  name,
  shape,
  datatype,
  data,
});

function rows(tensors: readonly RequestTensor[], model: ModelSignature, outputs?: string[]) {
  const { tensors: read, dims, count } = rowsOf({ input: { form: 'tensors', tensors }, outputs }, model);
  return { tensors: read.map((data) => [...data]), dims, count };
}

function shorthand(data: unknown, shape: TensorSpec['shape'], hasOpenRows = true) {
  const { tensors, dims, count } = rowsOf(
    { input: { form: 'row', data } },
    modelOf([{ ...image, shape }], hasOpenRows),
  );
  expect(count).toBe(1);
  return { data: [...(tensors[0] ?? [])], dims: dims[0] };
}

describe('rowsOf', () => {
  describe('V2 tensors', () => {
    it('counts rows along the first dimension', () => {
      expect(rows([tensor('image', [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])], modelOf([image]))).toEqual({
        tensors: [[1, 2, 3, 4, 5, 6, 7, 8]],
        dims: [[2, 2]],
        count: 2,
      });
    });

    it('gives the inputs in the order of the model', () => {
      const sent = [
        tensor('flag', [2], [7, '8'], 'INT64'),
        tensor(
          'image',
          [2, 2, 2],
          [
            [
              [1, 2],
              [3, 4],
            ],
            [
              [5, 6],
              [7, 8],
            ],
          ],
        ),
      ];
      expect(rows(sent, modelOf([image, flag]))).toEqual({
        tensors: [
          [1, 2, 3, 4, 5, 6, 7, 8],
          [7n, 8n],
        ],
        dims: [[2, 2], []],
        count: 2,
      });
    });

    it('takes any size for a dimension that the model leaves open', () => {
      const model = modelOf([{ ...image, shape: ['batch', 'length'] }]);
      expect(rows([tensor('image', [1, 5], [1, 2, 3, 4, 5])], model).dims).toEqual([[5]]);
    });

    it('takes the whole request for one row where the model has no batch dimension', () => {
      const model = modelOf([{ ...image, shape: [2, 2] }], false);
      expect(rows([tensor('image', [2, 2], [1, 2, 3, 4])], model)).toEqual({
        tensors: [[1, 2, 3, 4]],
        dims: [[2, 2]],
        count: 1,
      });
    });

    it('takes whole tensors where their first dimensions differ', () => {
      const sent = [tensor('image', [1, 2, 2], [1, 2, 3, 4]), tensor('flag', [2], [1, 2], 'INT64')];
      const { dims, count, isWhole } = rowsOf(
        { input: { form: 'tensors', tensors: sent } },
        modelOf([image, flag]),
      );
      expect({ dims, count, isWhole }).toEqual({ dims: [[1, 2, 2], [2]], count: 1, isWhole: true });
    });

    it('takes texts as it takes numbers', () => {
      const model = modelOf([{ name: 'text', datatype: 'BYTES', shape: ['batch'] }]);
      const expected = { tensors: [['a', 'b']], dims: [[]], count: 2 };
      expect(rows([tensor('text', [2], ['a', 'b'], 'BYTES')], model)).toEqual(expected);
    });
  });

  describe('refusals', () => {
    const good = tensor('image', [1, 2, 2], [1, 2, 3, 4]);
    const model = modelOf([image, flag]);
    const goodFlag = tensor('flag', [1], [1], 'INT64');

    it.each([
      ['UNKNOWN_INPUT', 'an input that the model lacks', [good, goodFlag, tensor('other', [1], [1])]],
      ['MISSING_INPUT', 'an input that is not sent', [good]],
      ['DATATYPE_MISMATCH', 'another datatype', [good, tensor('flag', [1], [1], 'INT32')]],
      ['DATATYPE_MISMATCH', 'a datatype that does not exist', [good, tensor('flag', [1], [1], 'int64')]],
      ['DATATYPE_MISMATCH', 'a value of another kind', [good, tensor('flag', [1], [0.5], 'INT64')]],
      ['SHAPE_MISMATCH', 'another rank', [tensor('image', [1, 4], [1, 2, 3, 4]), goodFlag]],
      ['SHAPE_MISMATCH', 'another size of a fixed dimension', [tensor('image', [1, 2, 3], []), goodFlag]],
      ['SHAPE_MISMATCH', 'fewer elements than the shape says', [tensor('image', [1, 2, 2], [1]), goodFlag]],
      ['SHAPE_MISMATCH', 'no rows', [tensor('image', [0, 2, 2], []), tensor('flag', [0], [], 'INT64')]],
    ])('says %s to %s', (code, _, tensors) => {
      expect(refusalOf(() => rows(tensors, model)).code).toBe(code);
    });

    it('say what the model expects', () => {
      const expected = 'image FP32[batch, 2, 2]';
      const messages = [
        refusalOf(() => rows([goodFlag], model)),
        refusalOf(() => rows([good, tensor('other', [1], [1])], model)),
        refusalOf(() => rows([tensor('image', [1, 4], []), goodFlag], model)),
        refusalOf(() => rows([tensor('image', [1, 2, 2], [], 'FP64'), goodFlag], model)),
      ].map(({ message }) => message);
      for (const message of messages) expect(message).toContain(expected);
    });

    it('includes an output that the model lacks, and names those that it has', () => {
      const { code, message } = refusalOf(() => rows([good], modelOf([image]), ['scores', 'logits']));
      expect(code).toBe('INVALID_REQUEST');
      expect(message).toBe("model 'm' has no output 'logits'; its outputs are scores FP32[batch, 3]");
    });
  });

  describe('shorthand', () => {
    it('takes a row nested as the model has it, or flat, without the batch dimension', () => {
      const expected = { data: [1, 2, 3, 4], dims: [2, 2] };
      expect(
        shorthand(
          [
            [1, 2],
            [3, 4],
          ],
          ['batch', 2, 2],
        ),
      ).toEqual(expected);
      expect(shorthand([1, 2, 3, 4], ['batch', 2, 2])).toEqual(expected);
    });

    it('takes the whole input where the model has no batch dimension', () => {
      expect(shorthand([1, 2, 3, 4], [2, 2], false)).toEqual({ data: [1, 2, 3, 4], dims: [2, 2] });
    });

    it('takes one element for a row that is a scalar', () => {
      expect(shorthand([5], ['batch'])).toEqual({ data: [5], dims: [] });
    });

    it('works out the one dimension that is open, flat or nested', () => {
      expect(shorthand([1, 2, 3, 4, 5, 6], ['batch', 'n', 3]).dims).toEqual([2, 3]);
      expect(
        shorthand(
          [
            [1, 2, 3],
            [4, 5, 6],
          ],
          ['batch', 'n', 3],
        ).dims,
      ).toEqual([2, 3]);
      expect(shorthand([1, 2, 3], ['batch', 'n']).dims).toEqual([3]);
    });

    it('takes two open dimensions when nested, which says both', () => {
      expect(shorthand([[1, 2, 3]], ['batch', 'h', 'w']).dims).toEqual([1, 3]);
    });

    it.each([
      ['flat data of the wrong length', [1, 2, 3], ['batch', 2, 2]],
      ['flat data that does not divide', [1, 2, 3, 4], ['batch', 'n', 3]],
      ['flat data for two open dimensions', [1, 2], ['batch', 'h', 'w']],
      [
        'a row with its batch dimension',
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
        ['batch', 2, 2],
      ],
      ['rows of different lengths', [[1, 2], [3]], ['batch', 2, 2]],
      ['two elements for a scalar', [1, 2], ['batch']],
    ])('refuses %s as SHAPE_MISMATCH', (_, data, shape) => {
      expect(refusalOf(() => shorthand(data, shape)).code).toBe('SHAPE_MISMATCH');
    });

    it('says which shape came and which is expected', () => {
      expect(refusalOf(() => shorthand([1, 2, 3], ['batch', 2, 2])).message).toBe(
        '`data` has shape [3], which is no row; the model expects image FP32[batch, 2, 2], sent without the first (batch) dimension',
      );
    });

    it('refuses a value of another datatype', () => {
      expect(refusalOf(() => shorthand(['a', 'b'], ['batch', 2])).code).toBe('DATATYPE_MISMATCH');
    });

    it('is refused for a model with several inputs, naming them', () => {
      const { code, message } = refusalOf(() =>
        rowsOf({ input: { form: 'row', data: [1] } }, modelOf([image, flag])),
      );
      expect(code).toBe('INVALID_REQUEST');
      expect(message).toContain('image FP32[batch, 2, 2], flag INT64[batch]');
    });
  });
});

describe('describe', () => {
  it('shows an open dimension by its symbol, or ? where it has none', () => {
    expect(describeSpec({ name: 'x', datatype: 'FP32', shape: ['batch', '', 3] })).toBe(
      'x FP32[batch, ?, 3]',
    );
  });

  it.each([
    [3_000_000, 0],
    [4_294_967_296, 0],
    [0, 3],
  ])('takes no rows from a tensor of shape [%d, %d]: it has no elements to count them by', (...shape) => {
    const model = modelOf([{ ...image, shape: ['batch', 'length'] }]);
    const tensors = [{ name: image.name, datatype: image.datatype, shape, data: [] }];
    expect(() => rowsOf({ input: { form: 'tensors', tensors } }, model)).toThrow('dimension of 0');
    expect(() => rowsOf({ input: { form: 'row', data: [] } }, model)).toThrow('which is no row');
  });
});
