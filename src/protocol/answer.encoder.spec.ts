import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { oneRow, rowsIn } from '../../test/support/rows.js';
import { InferenceError } from '../inference/inference.errors.js';
import { AnsweringModel, BinaryBody, encodeError, encodeResult } from './answer.encoder.js';
import { Datatype, TensorData } from './tensor.js';

function modelOf(fields: Partial<AnsweringModel> = {}): AnsweringModel {
  const outputs = [{ name: 'scores', datatype: 'FP32', shape: ['batch', 3] } as const];
  return { name: 'm', version: '2', inputs: [], outputs, hasOpenRows: true, mayBatch: true, ...fields };
}

/** A model with one output, of `datatype` and a row of `dims`. */
const modelWith = (datatype: Datatype, dims: number[]) =>
  modelOf({ outputs: [{ name: 'y', datatype, shape: ['batch', ...dims] }] });

const parsed = (...args: Parameters<typeof encodeResult>): unknown =>
  JSON.parse(encodeResult(...args) as string);

/** What becomes of one row of one output. */
function dataOf(datatype: Datatype, data: TensorData): unknown {
  const answer = parsed({}, modelWith(datatype, [data.length]), oneRow(data)) as {
    outputs: { data: unknown }[];
  };
  return answer.outputs[0]?.data;
}

describe('encodeResult', () => {
  it('is a V2 response: one shape and flat data over all rows', () => {
    const rows = rowsIn(2, Float32Array.of(0, 0.5, 1, 2, -1, 0.25));
    expect(parsed({ id: 'r-1' }, modelOf(), rows)).toEqual({
      model_name: 'm',
      model_version: '2',
      id: 'r-1',
      outputs: [
        {
          name: 'scores',
          shape: [2, 3],
          datatype: 'FP32',
          data: [0, 0.5, 1, 2, -1, 0.25],
        },
      ],
    });
  });

  it('holds its own rows only, of tensors that hold those of others as well', () => {
    const outputs = [
      { name: 'scores', datatype: 'FP32', shape: ['n', 2] } as const,
      { name: 'texts', datatype: 'BYTES', shape: ['n', 1] } as const,
    ];
    const all = rowsIn(4, Float32Array.of(9, 0, 1, 2, 4, 3, 0, 9), ['a', 'b', 'c', 'd']);
    const model = modelOf({ outputs, labels: ['left', 'right'] });
    const some = { ...all, first: 1, count: 2 };
    expect(parsed({}, model, some)).toMatchObject({
      outputs: [
        { shape: [2, 2], data: [1, 2, 4, 3] },
        { shape: [2, 1], data: ['b', 'c'] },
      ],
      parameters: { label: ['right', 'left'], score: [2, 4] },
    });
    const { tensors } = encodeResult({ binaryOutputs: ['scores'] }, model, some) as BinaryBody;
    expect(tensors).toEqual(Buffer.from(Float32Array.of(1, 2, 4, 3).buffer));
  });

  it('has no batch dimension where the model has none', () => {
    const whole = { ...oneRow(Float32Array.of(1, 2, 3)), isWhole: true };
    expect(parsed({}, modelOf(), whole)).toMatchObject({ outputs: [{ shape: [3] }] });
  });

  it('has no id where the request has none', () => {
    expect(parsed({}, modelOf(), oneRow(Float32Array.of(1, 2, 3)))).not.toHaveProperty('id');
  });

  it('holds the outputs that were asked for, in the order of the model', () => {
    const outputs = ['a', 'b', 'c'].map((name) => ({ name, datatype: 'INT32', shape: ['n', 1] }) as const);
    const rows = oneRow(Int32Array.of(1), Int32Array.of(2), Int32Array.of(3));
    const names = (asked?: string[]) =>
      (parsed({ outputs: asked }, modelOf({ outputs }), rows) as { outputs: { name: string }[] }).outputs.map(
        ({ name }) => name,
      );
    expect(names()).toEqual(['a', 'b', 'c']);
    expect(names(['c', 'a'])).toEqual(['a', 'c']);
  });

  it('is whole however many rows it has, also where the writer outgrows its memory', () => {
    const labels = ['a', 'b', 'c'];
    const one = [0.123456789, 0.987654321, 0.5];
    for (let count = 1000; count < 3000; count += 7) {
      const rows = rowsIn(
        count,
        Float32Array.from({ length: 3 * count }, (_, at) => one[at % 3] as number),
      );
      const { outputs, parameters } = parsed({ id: 'r' }, modelOf({ labels }), rows) as {
        outputs: { data: number[] }[];
        parameters: { label: string[]; score: number[] };
      };
      expect(outputs[0]?.data).toHaveLength(3 * count);
      expect(new Set(parameters.label)).toEqual(new Set(['b']));
      expect(parameters.score.map(Math.fround)).toEqual(Array(count).fill(Math.fround(0.987654321)));
    }
  });

  describe('elements', () => {
    it('of FP64 are the very same numbers, and null where JSON has none', () => {
      fc.assert(
        fc.property(fc.float64Array(), (values) => {
          expect(dataOf('FP64', values)).toEqual(JSON.parse(JSON.stringify([...values])));
        }),
      );
      expect(dataOf('FP32', Float32Array.of(NaN, Infinity, -Infinity, -0, 1))).toEqual([
        null,
        null,
        null,
        0,
        1,
      ]);
    });

    it('of INT64 and UINT64 keep all their digits', () => {
      const json = encodeResult({}, modelWith('INT64', [2]), oneRow(BigInt64Array.of(-(2n ** 63n), 7n)));
      expect(json).toContain('"data":[-9223372036854775808,7]');
      expect(dataOf('UINT64', BigUint64Array.of(5n))).toEqual([5]);
    });

    it('of BOOL are true and false', () => {
      expect(dataOf('BOOL', Uint8Array.of(0, 1))).toEqual([false, true]);
    });

    it('of BYTES are the very same texts', () => {
      fc.assert(
        fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
          expect(dataOf('BYTES', texts)).toEqual(texts);
        }),
      );
    });

    it('of empty rows are none', () => {
      expect(dataOf('FP32', new Float32Array())).toEqual([]);
      expect(parsed({}, modelWith('FP32', [0]), rowsIn(3, new Float32Array()))).toMatchObject({
        outputs: [{ shape: [3, 0], data: [] }],
      });
    });
  });

  it('stays JSON whatever the names, the id and the labels hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const outputs = [{ name: text, datatype: 'FP32', shape: ['n', 1] } as const];
        const model = modelOf({ name: text, version: text, outputs, labels: [text] });
        expect(parsed({ id: text, packet: { id: text } }, model, oneRow(Float32Array.of(1)))).toEqual({
          id: text,
          isDisposed: true,
          response: {
            model_name: text,
            model_version: text,
            id: text,
            outputs: [{ name: text, shape: [1, 1], datatype: 'FP32', data: [1] }],
            parameters: { label: [text], score: [1] },
          },
        });
      }),
    );
  });

  describe('labels', () => {
    const labels = ['cat', 'dog', 'a "cow"\n'];

    it('name the highest score of each row', () => {
      const rows = rowsIn(2, Float32Array.of(0.25, 0.5, 0.25, -3, -2, -1));
      expect(parsed({}, modelOf({ labels }), rows)).toMatchObject({
        parameters: { label: ['dog', 'a "cow"\n'], score: [0.5, -1] },
      });
    });

    it('are of the first output of floating-point numbers', () => {
      const outputs = [
        { name: 'class', datatype: 'INT64', shape: ['n'] } as const,
        { name: 'probs', datatype: 'FP32', shape: ['n', 3] } as const,
      ];
      const rows = { ...oneRow(BigInt64Array.of(9n), Float32Array.of(1, 0, 0)), dims: [[], [3]] };
      expect(parsed({ outputs: ['class'] }, modelOf({ outputs, labels }), rows)).toMatchObject({
        outputs: [{ name: 'class', shape: [1], data: [9] }],
        parameters: { label: ['cat'], score: [1] },
      });
    });

    it.each([
      [
        [2, 3],
        [0, 0.5, 0.25, 2, 1, 0],
        ['dog', 'cat'],
      ],
      [[3], [0, 0.5, 0.25], ['dog']],
      [[1, 1, 3], [0, 0.5, 0.25], ['dog']],
    ])('are those of the rows of a whole output of shape %j', (dims, scores, label) => {
      const whole = { tensors: [Float32Array.from(scores)], dims: [dims], first: 0, count: 1, isWhole: true };
      expect(parsed({}, modelOf({ labels }), whole)).toMatchObject({ parameters: { label } });
    });

    it.each([[[2, 2]], [[4]], [[0, 3]]])('are left out of a whole output of shape %j', (dims) => {
      const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
      const whole = { tensors: [data], dims: [dims], first: 0, count: 1, isWhole: true };
      expect(parsed({}, modelOf({ labels }), whole)).not.toHaveProperty('parameters');
    });

    it('are left out where the scores are not one for each label', () => {
      const answer = parsed({}, modelOf({ labels: ['only'] }), oneRow(Float32Array.of(1, 2, 3)));
      expect(answer).not.toHaveProperty('parameters');
    });

    it('are left out where no output holds scores', () => {
      const outputs = [{ name: 'class', datatype: 'INT64', shape: ['n', 3] } as const];
      const answer = parsed({}, modelOf({ outputs, labels }), oneRow(BigInt64Array.of(1n, 2n, 3n)));
      expect(answer).not.toHaveProperty('parameters');
    });
  });

  it('comes in Nest’s envelope where the request did, with the packet’s id if it has one', () => {
    const rows = oneRow(Float32Array.of(1, 2, 3));
    const response = parsed({ id: 'r' }, modelOf(), rows);
    const sent = parsed({ id: 'r', packet: { id: 'n' } }, modelOf(), rows);
    expect(sent).toEqual({ id: 'n', response, isDisposed: true });
    expect(parsed({ id: 'r', packet: {} }, modelOf(), rows)).toEqual({ response, isDisposed: true });
  });
});

describe('encodeError', () => {
  const error = new InferenceError('INVALID_REQUEST', 'send "data"\nnext time');
  const body = { id: 'r"1', error: 'send "data"\nnext time', code: 'INVALID_REQUEST' };

  it('says what to change, and the code', () => {
    expect(JSON.parse(encodeError({ id: 'r"1' }, error))).toEqual(body);
  });

  it('comes in Nest’s envelope, as err, where the request did', () => {
    expect(JSON.parse(encodeError({ id: 'r"1', packet: { id: 'n' } }, error))).toEqual({
      id: 'n',
      err: body,
      isDisposed: true,
    });
  });
});
