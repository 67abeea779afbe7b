import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { refusalOf } from '../../test/support/refusal.js';
import { RequestMessage } from './message.js';
import { decodeRequest } from './request.decoder.js';
import { rowsOf } from './rows.js';
import { Datatype } from './tensor.js';

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** The elements that become of a body for a model with these inputs, which take rows of any length. */
function read(
  body: string | Buffer,
  datatypes: readonly Datatype[],
  properties: RequestMessage['properties'] = {},
) {
  const content = Buffer.from(body);
  const inputs = datatypes.map((datatype, at) => ({
    name: 'xyz'.charAt(at),
    datatype,
    shape: ['batch', 'n'],
  }));
  const request = decodeRequest(content, { content, properties });
  return rowsOf(request, { name: 'm', inputs, outputs: [], hasOpenRows: true, mayBatch: true }).tensors.map(
    (data) => [...data],
  );
}

const tensor = (name: string, datatype: string, data: string, width = 1) =>
  `{"name":"${name}","shape":[1,${width}],"datatype":"${datatype}","data":${data}}`;
const v2 = (...tensors: string[]) => `{"inputs":[${tensors.join()}]}`;

describe('integers beyond 2^53, sent as JSON numbers', () => {
  it.each([
    ['INT64', -(2n ** 63n), INT64_MAX],
    ['UINT64', 0n, UINT64_MAX],
  ] as const)('keep all their digits as %s, in every form', (datatype, min, max) => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min, max }), { minLength: 1 }), (values) => {
        const data = `[${values.join(', ')}]`;
        expect(read(`{"data":${data}}`, [datatype])).toEqual([values]);
        expect(read(`{"data": ${data}}`, [datatype])).toEqual([values]);
        expect(read(`{"pattern":"infer","data":{"data":${data}}}`, [datatype])).toEqual([values]);
        expect(read(v2(tensor('x', datatype, data, values.length)), [datatype])).toEqual([values]);
        expect(read(v2(tensor('x', datatype, `[${data}]`, values.length)), [datatype])).toEqual([values]);
      }),
    );
  });

  it('keep them after a byte order mark', () => {
    expect(read('\ufeff{"id":"ä","data":[9007199254740993]}', ['INT64'])).toEqual([[9_007_199_254_740_993n]]);
  });

  it('keep them in the JSON before binary tensors, which stay as they are', () => {
    const bytes = Buffer.from(BigInt64Array.of(7n, INT64_MAX).buffer);
    const binary = '{"name":"y","shape":[1,2],"datatype":"INT64","parameters":{"binary_data_size":16}}';
    const json = Buffer.from(v2(binary, tensor('x', 'INT64', `[${INT64_MAX}]`)));
    const headers = { 'inference-header-content-length': json.length };
    expect(read(Buffer.concat([json, bytes]), ['INT64', 'INT64'], { headers })).toEqual([
      [INT64_MAX],
      [7n, INT64_MAX],
    ]);
  });

  it('keep them beside short ones and decimal strings, and beside strings that look like them', () => {
    const body = `{"id":"[9007199254740993]","note":"\\"9007199254740993","data":[1,9007199254740993,"-9007199254740993"]}`;
    expect(read(body, ['INT64'])).toEqual([[1n, 9_007_199_254_740_993n, -9_007_199_254_740_993n]]);
  });

  it('are floats, and no texts, where another input of the same request takes these', () => {
    const long = '[12345678901234567891]';
    const inputs = ['UINT64', 'FP32', 'FP64'] as const;
    const body = v2(tensor('x', 'UINT64', long), tensor('y', 'FP32', long), tensor('z', 'FP64', long));
    expect(read(body, inputs)).toEqual([
      [12_345_678_901_234_567_891n],
      [Math.fround(Number(12_345_678_901_234_567_891n))],
      [Number(12_345_678_901_234_567_891n)],
    ]);
    const text = v2(tensor('x', 'UINT64', long), tensor('y', 'BYTES', long));
    expect(refusalOf(() => read(text, ['UINT64', 'BYTES'])).message).toContain("input 'y': element 0 is");
    expect(refusalOf(() => read(`{"data":${long}}`, ['BYTES'])).code).toBe('DATATYPE_MISMATCH');
    expect(read(`{"data":${long}}`, ['FP64'])).toEqual([[Number(12_345_678_901_234_567_891n)]]);
  });

  it.each([
    ['INT64', '9223372036854775808'],
    ['INT64', '-9223372036854775809'],
    ['INT64', '123456789012345678901234567890'],
    ['INT64', '1e19'],
    ['UINT64', '18446744073709551616'],
    ['UINT64', '-9007199254740993'],
    ['INT32', '9007199254740993'],
  ] as const)('are refused beyond the range of %s: %s', (datatype, value) => {
    const { code, message } = refusalOf(() => read(`{"data":[0,${value}]}`, [datatype]));
    expect(code).toBe('DATATYPE_MISMATCH');
    expect(message).toContain('element 1 is a number outside that datatype');
  });

  it.each([['9007199254740993.5'], ['0.12345678901234567890'], ['1234567890123456789e-3']])(
    'are no part of a number that is no integer: %s',
    (value) => {
      expect(refusalOf(() => read(`{"data":[${value}]}`, ['INT64'])).code).toBe('DATATYPE_MISMATCH');
    },
  );

  it('may be written with a point or an exponent as long as they are exact', () => {
    expect(read('{"data":[1e3,5.0,-0,9007199254740991]}', ['INT64'])).toEqual([
      [1000n, 5n, 0n, 9_007_199_254_740_991n],
    ]);
  });

  it('do not overflow the stack on a body that has long texts as well', () => {
    const note = '\\n'.repeat(1e6);
    expect(read(`{"note":"${note}","data":[9007199254740993]}`, ['INT64'])).toEqual([[2n ** 53n + 1n]]);
  });
});
