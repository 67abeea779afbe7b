import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { refusalOf } from '../../test/support/refusal.js';
import { allocate, copyInto, Datatype, isDatatype, slice } from './tensor.js';
import { readTensor } from './tensor.reader.js';

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;
const FLOAT32_MAX = (2 - 2 ** -23) * 2 ** 127;

/** For each datatype: JSON values and the elements that they become, and JSON values that are refused. */
const CASES: Record<Datatype, { accepted: [unknown, unknown][]; refused: unknown[] }> = {
  BOOL: {
    accepted: [
      [true, 1],
      [false, 0],
      [1, 1],
      [0, 0],
    ],
    refused: [2, -1, 0.5, 'true', null, {}],
  },
  UINT8: integers(0, 255),
  UINT16: integers(0, 65_535),
  UINT32: integers(0, 4_294_967_295),
  INT8: integers(-128, 127),
  INT16: integers(-32_768, 32_767),
  INT32: integers(-2_147_483_648, 2_147_483_647),
  INT64: {
    accepted: [
      [-5, -5n],
      [Number.MAX_SAFE_INTEGER, BigInt(Number.MAX_SAFE_INTEGER)],
      [String(INT64_MAX), INT64_MAX],
      [String(-INT64_MAX - 1n), -INT64_MAX - 1n],
    ],
    refused: [
      2 ** 53,
      0.5,
      String(INT64_MAX + 1n),
      String(-INT64_MAX - 2n),
      '',
      ' 1',
      '0x1',
      '1n',
      null,
      true,
    ],
  },
  UINT64: {
    accepted: [
      [0, 0n],
      ['18446744073709551615', UINT64_MAX],
    ],
    refused: [-1, '-1', String(UINT64_MAX + 1n), 2 ** 53, '9'.repeat(400), null],
  },
  FP32: {
    accepted: [
      [0.5, 0.5],
      [-0, -0],
      [FLOAT32_MAX, FLOAT32_MAX],
      [-FLOAT32_MAX, -FLOAT32_MAX],
      [null, NaN],
    ],
    refused: [FLOAT32_MAX * 1.0001, Infinity, -Infinity, NaN, '1', undefined, true],
  },
  FP64: {
    accepted: [
      [0.1, 0.1],
      [Number.MAX_VALUE, Number.MAX_VALUE],
      [null, NaN],
    ],
    refused: [Infinity, -Infinity, NaN, '1', undefined, {}],
  },
  BYTES: {
    accepted: [
      ['', ''],
      ['Grüße 🙂', 'Grüße 🙂'],
      ['\u0001\u007f\ufeff\ufffd\uffff', '\u0001\u007f\ufeff\ufffd\uffff'],
    ],
    refused: [1, null, true, {}, 'a\0b', '\0', 'a\0', '\ud800', 'a\udc00b', '\udc00\ud800', '🙂\ud83d'],
  },
};

function integers(min: number, max: number) {
  return {
    accepted: [
      [min, min],
      [max, max],
      [1, 1],
    ] as [unknown, unknown][],
    refused: [min - 1, max + 1, 0.5, NaN, Infinity, '1', null, true, {}],
  };
}

describe.each(Object.entries(CASES))('%s', (name, { accepted, refused }) => {
  const datatype = name as Datatype;

  it.each(accepted)('takes %p', (value, element) => {
    expect([...readTensor('x', datatype, [1], [value])]).toEqual([element]);
  });

  it.each(refused.map((value) => [value]))('refuses %p', (value) => {
    const { code, message } = refusalOf(() => readTensor('x', datatype, [1], [value]));
    expect(code).toBe('DATATYPE_MISMATCH');
    expect(message).toContain(`the model expects ${name}:`);
  });

  it('is a datatype, filled with nothing at first', () => {
    expect(isDatatype(name)).toBe(true);
    const empty = datatype === 'BYTES' ? '' : name.endsWith('INT64') ? 0n : 0;
    expect([...allocate(datatype, 2)]).toEqual([empty, empty]);
  });
});

describe('readTensor', () => {
  it('reads what was written, flat or nested, for every shape', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }), (dims) => {
        const flat = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) => index);
        expect([...readTensor('x', 'INT32', dims, flat)]).toEqual(flat);
        expect([...readTensor('x', 'INT32', dims, nest(flat, dims))]).toEqual(flat);
      }),
    );
  });

  it.each([
    ['FP32', fc.float({ noNaN: true, noDefaultInfinity: true })],
    ['FP64', fc.double({ noNaN: true, noDefaultInfinity: true })],
    ['INT32', fc.integer()],
    ['BYTES', fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'))],
  ] as [Datatype, fc.Arbitrary<unknown>][])('keeps every value of %s as it is', (datatype, value) => {
    fc.assert(
      fc.property(fc.array(value), (values) => {
        expect([...readTensor('x', datatype, [values.length], values)]).toEqual(values);
      }),
    );
  });

  it.each([
    ['INT64', -(2n ** 63n), INT64_MAX],
    ['UINT64', 0n, UINT64_MAX],
  ] as const)('keeps every %s that is sent as a decimal string', (datatype, min, max) => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min, max })), (values) => {
        expect([...readTensor('x', datatype, [values.length], values.map(String))]).toEqual(values);
      }),
    );
  });

  it.each([
    ['too few elements', [3], [1, 2]],
    ['too many elements', [1], [1, 2]],
    ['no array', [1], 1],
    ['a row that is too short', [2, 2], [[1, 2], [3]]],
    [
      'a row that is too long',
      [2, 2],
      [
        [1, 2],
        [3, 4, 5],
      ],
    ],
    ['a number where a row is due', [2, 2], [[1, 2], 3]],
    ['nesting that is too deep', [2, 1], [[[1]], [[2]]]],
    ['nesting that is too shallow', [2, 1, 1], [[1], [2]]],
  ])('refuses %s as SHAPE_MISMATCH', (_, dims, data) => {
    expect(refusalOf(() => readTensor('x', 'FP32', dims, data)).code).toBe('SHAPE_MISMATCH');
  });

  it('refuses a nested value in flat data', () => {
    const { code, message } = refusalOf(() => readTensor('x', 'FP32', [2], [1, [2]]));
    expect(code).toBe('DATATYPE_MISMATCH');
    expect(message).toContain('element 1 is an array');
  });

  it('names the input and the element, and quotes no value', () => {
    const { message } = refusalOf(() => readTensor('pixels', 'FP32', [3], [1, 2, 'hunter2']));
    expect(message).toBe(
      "input 'pixels': element 2 is of type string, the model expects FP32: finite numbers, or null for NaN",
    );
  });

  it.each([
    ['a\0b', 'NUL (U+0000)'],
    ['a\ud800', 'a lone surrogate'],
  ])('says that ONNX Runtime would not keep the text %j', (text, what) => {
    const { message } = refusalOf(() => readTensor('title', 'BYTES', [2, 1], [['a'], [text]]));
    expect(message).toContain(`input 'title': element 1 is a string with ${what}, the model expects BYTES:`);
    expect(message).toContain('leave them out');
  });

  it('takes null for NaN among other numbers, flat and nested', () => {
    for (const datatype of ['FP32', 'FP64'] as const) {
      expect([...readTensor('x', datatype, [3], [1, null, 2])]).toEqual([1, NaN, 2]);
      expect([...readTensor('x', datatype, [2, 1], [[null], [2]])]).toEqual([NaN, 2]);
    }
  });

  it('says of 64-bit integers that they are outside their range, however they are written', () => {
    for (const value of [2 ** 64, '18446744073709551616', '-1'])
      expect(refusalOf(() => readTensor('x', 'UINT64', [1], [value])).message).toContain(
        'element 0 is a number outside that datatype',
      );
  });

  it('does not overflow the stack on data that is nested 100,000 deep', () => {
    const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
    expect(refusalOf(() => readTensor('x', 'FP32', [1, 1], deep)).code).toBe('SHAPE_MISMATCH');
    expect(refusalOf(() => readTensor('x', 'FP32', [2], [1, deep])).code).toBe('DATATYPE_MISMATCH');
  });

  it.each([
    [[2 ** 52], [1]],
    [
      [2, 2 ** 52],
      [[1], [1]],
    ],
    [[2 ** 52, 2 ** 52, 2 ** 52], []],
  ])('allocates nothing for shape %p, which is larger than its data', (dims, data) => {
    expect(refusalOf(() => readTensor('x', 'FP32', dims, data)).code).toBe('SHAPE_MISMATCH');
  });

  it('takes an empty tensor', () => {
    expect(readTensor('x', 'FP32', [0, 4], [])).toHaveLength(0);
    expect(readTensor('x', 'FP32', [2, 0], [[], []])).toHaveLength(0);
  });
});

describe('isDatatype', () => {
  it.each(['fp32', 'FP16', '', 'toString', '__proto__', 4, null, undefined])('is false for %p', (value) => {
    expect(isDatatype(value)).toBe(false);
  });
});

describe('slice and copyInto', () => {
  it.each([
    ['FP32', [1.5, 2.5, 3.5]],
    ['INT64', ['1', '2', '3']],
    ['BYTES', ['a', 'b', 'c']],
  ] as [Datatype, unknown[]][])('put the parts of a tensor of %s together again', (datatype, values) => {
    const data = readTensor('x', datatype, [3], values);
    const copy = allocate(datatype, 3);
    copyInto(copy, 2, data, 2, 3);
    copyInto(copy, 0, slice(data, 0, 2), 0, 2);
    expect(copy).toEqual(data);
  });
});

/** Flat data, nested as `dims` says. */
function nest(flat: readonly unknown[], [, ...inner]: readonly number[]): unknown {
  if (inner.length === 0) return flat;
  const width = inner.reduce((a, b) => a * b, 1);
  return Array.from({ length: flat.length / width }, (_, row) =>
    nest(flat.slice(row * width, (row + 1) * width), inner),
  );
}
