import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { binaryBody, binaryInput, textElements } from '../../test/support/binary-body.js';
import { refusalOf } from '../../test/support/refusal.js';
import { AnsweringModel, BinaryBody, encodeResult } from './answer.encoder.js';
import { readContent } from './content-encoding.js';
import { readBinaryTensor, tensorBytes } from './binary-tensors.js';
import { decodeRequest, foreseeDeadline, identify } from './request.decoder.js';
import { rowsOf } from './rows.js';
import { CODECS, Datatype } from './tensor.js';

/** Writes an element as the extension has it, by other means than the code does. */
const WRITERS: Record<Exclude<Datatype, 'BYTES' | 'BOOL'>, (view: DataView, value: never) => void> = {
  UINT8: (view, value) => view.setUint8(0, value),
  UINT16: (view, value) => view.setUint16(0, value, true),
  UINT32: (view, value) => view.setUint32(0, value, true),
  UINT64: (view, value) => view.setBigUint64(0, value, true),
  INT8: (view, value) => view.setInt8(0, value),
  INT16: (view, value) => view.setInt16(0, value, true),
  INT32: (view, value) => view.setInt32(0, value, true),
  INT64: (view, value) => view.setBigInt64(0, value, true),
  FP32: (view, value) => view.setFloat32(0, value, true),
  FP64: (view, value) => view.setFloat64(0, value, true),
};

const float = fc.float({ noNaN: false });
const NUMBERS = {
  UINT8: [1, fc.nat(255)],
  UINT16: [2, fc.nat(65_535)],
  UINT32: [4, fc.nat(4_294_967_295)],
  UINT64: [8, fc.bigInt(0n, 2n ** 64n - 1n)],
  INT8: [1, fc.integer({ min: -128, max: 127 })],
  INT16: [2, fc.integer({ min: -32_768, max: 32_767 })],
  INT32: [4, fc.integer()],
  INT64: [8, fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)],
  FP32: [4, float],
  FP64: [8, fc.double()],
} as const;

function bytesOf(datatype: keyof typeof NUMBERS, values: readonly unknown[]): Buffer {
  const [size] = NUMBERS[datatype];
  return Buffer.concat(
    values.map((value) => {
      const element = Buffer.alloc(size);
      WRITERS[datatype](new DataView(element.buffer, element.byteOffset, size), value as never);
      return element;
    }),
  );
}

const model = (datatype: Datatype, width: number): AnsweringModel => ({
  name: 'm',
  version: '1',
  inputs: [{ name: 'x', datatype, shape: ['batch', width] }],
  outputs: [{ name: 'y', datatype, shape: ['batch', width] }],
  hasOpenRows: true,
  mayBatch: true,
});

function decode({ content, options }: ReturnType<typeof binaryBody>) {
  return decodeRequest(content, { content, properties: options });
}

/** What comes back of a request from a model that gives its input. */
function echoed(datatype: Datatype, shape: readonly [number, number], bytes: Buffer): BinaryBody {
  const inputs = [binaryInput('x', datatype, shape, bytes)];
  const request = decode(binaryBody({ inputs, parameters: { binary_data_output: true } }, bytes));
  const served = model(datatype, shape[1]);
  return encodeResult(request, served, rowsOf(request, served)) as BinaryBody;
}

describe('binary tensors', () => {
  it.each(Object.keys(NUMBERS) as (keyof typeof NUMBERS)[])('come back as they came: %s', (datatype) => {
    const [, value] = NUMBERS[datatype];
    const matrices = fc
      .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
      .chain(([rows, width]) =>
        fc.tuple(
          fc.constant([rows, width] as const),
          fc.array(value as fc.Arbitrary<unknown>, { minLength: rows * width, maxLength: rows * width }),
        ),
      );
    fc.assert(
      fc.property(matrices, ([shape, values]) => {
        const bytes = bytesOf(datatype, values);
        const { json, tensors } = echoed(datatype, shape, bytes);
        expect(tensors.equals(bytes)).toBe(true);
        const [output] = (JSON.parse(json) as { outputs: object[] }).outputs;
        expect(output).toEqual({ ...binaryInput('y', datatype, shape, bytes) });
      }),
    );
  });

  it('come back as they came: BOOL, BYTES', () => {
    const flags = Buffer.from([0, 1, 1, 0]);
    expect(echoed('BOOL', [2, 2], flags).tensors.equals(flags)).toBe(true);
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (texts) => {
        const bytes = textElements(texts);
        expect(echoed('BYTES', [1, texts.length], bytes).tensors.equals(bytes)).toBe(true);
      }),
    );
  });

  it('may be sent for some inputs and as JSON for others, and asked for one by one', () => {
    const bytes = Buffer.from(Float32Array.of(1, 2).buffer);
    const served: AnsweringModel = {
      ...model('FP32', 2),
      inputs: ['a', 'b', 'c'].map((name) => ({ name, datatype: 'FP32', shape: ['batch', 2] })),
      outputs: ['x', 'y', 'z'].map((name) => ({ name, datatype: 'FP32', shape: ['batch', 2] })),
    };
    const request = decode(
      binaryBody(
        {
          inputs: [
            binaryInput('c', 'FP32', [1, 2], bytes),
            { name: 'b', datatype: 'FP32', shape: [1, 2], data: [3, 4] },
            binaryInput('a', 'FP32', [1, 2], Buffer.from(Float32Array.of(5, 6).buffer)),
          ],
          parameters: { binary_data_output: true },
          outputs: [
            { name: 'x' },
            { name: 'y', parameters: { binary_data: false } },
            { name: 'z', parameters: { binary_data: true } },
          ],
        },
        bytes,
        Buffer.from(Float32Array.of(5, 6).buffer),
      ),
    );
    const rows = rowsOf(request, served);
    expect(rows.tensors.map((tensor) => [...tensor])).toEqual([[5, 6], [3, 4], [1, 2]]); // prettier-ignore
    const { json, tensors } = encodeResult(request, served, rows) as BinaryBody;
    expect((JSON.parse(json) as { outputs: object[] }).outputs).toMatchObject([
      { name: 'x', parameters: { binary_data_size: 8 } },
      { name: 'y', data: [3, 4] },
      { name: 'z', parameters: { binary_data_size: 8 } },
    ]);
    expect([...new Float32Array(Uint8Array.from(tensors).buffer)]).toEqual([5, 6, 1, 2]);
  });

  it('may be asked for in answer to JSON', () => {
    const content = Buffer.from(JSON.stringify({ data: [1, 2], parameters: { binary_data_output: true } }));
    const request = decodeRequest(content, { content, properties: {} });
    const served = model('FP32', 2);
    expect(encodeResult(request, served, rowsOf(request, served))).toMatchObject({
      tensors: Buffer.from(Float32Array.of(1, 2).buffer),
    });
  });

  it.each([[null], [[]], ['none']])('do not mind tensors that write %j for no parameters', (parameters) => {
    const input = { name: 'x', datatype: 'FP32', shape: [1, 1], data: [1], parameters };
    const content = Buffer.from(JSON.stringify({ inputs: [input], outputs: [{ name: 'y', parameters }] }));
    const request = decodeRequest(content, { content, properties: {} });
    expect(request).toMatchObject({ input: { tensors: [{ data: [1] }] }, outputs: ['y'] });
  });

  it('may come compressed, the length being that of the JSON before', async () => {
    const bytes = Buffer.from(Float32Array.of(1, 2).buffer);
    const { content, options } = binaryBody({ inputs: [binaryInput('x', 'FP32', [1, 2], bytes)] }, bytes);
    const properties = { ...options, contentEncoding: 'gzip' };
    const read = await readContent({ content: gzipSync(content), properties }, 1000);
    expect(decodeRequest(read, { content, properties }).input).toMatchObject({ tensors: [{ data: bytes }] });
  });

  it('are not searched for a deadline, however large they are', () => {
    const bytes = Buffer.alloc(2_000_000);
    const inputs = [binaryInput('x', 'FP32', [1, 500_000], bytes)];
    const { content, options } = binaryBody({ inputs, parameters: { timeout: 250_000 } }, bytes);
    expect(foreseeDeadline({ content, properties: options }, 7)).toBe(257);
  });

  it('take the length of the JSON as a number or its digits', () => {
    const bytes = Buffer.from(Float32Array.of(1).buffer);
    const { content, options } = binaryBody({ inputs: [binaryInput('x', 'FP32', [1, 1], bytes)] }, bytes);
    const digits = String(options.headers['inference-header-content-length']);
    const headers = { 'inference-header-content-length': digits };
    expect(decodeRequest(content, { content, properties: { headers } }).input.form).toBe('tensors');
  });

  it('do not keep an error answer from naming its request', () => {
    const { content, options } = binaryBody({ id: 'r', inputs: 7 }, Buffer.from([1, 2, 3]));
    expect(identify(content, { content, properties: options })).toMatchObject({ id: 'r' });
  });

  const four = Buffer.alloc(4);
  const x = binaryInput('x', 'FP32', [1, 1], four);
  it.each([
    ['fewer bytes than they say', { inputs: [binaryInput('x', 'FP32', [1, 2], Buffer.alloc(8))] }, four, /is 8, and 4 bytes are left/],
    ['more bytes than they say', { inputs: [x] }, Buffer.alloc(5), /1 bytes are left behind/],
    ['a size that is none', { inputs: [{ ...x, parameters: { binary_data_size: -4 } }] }, four, /whole number of bytes/],
    ['data as well', { inputs: [{ ...x, data: [1] }] }, four, /both/],
    ['no size and no data', { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1] }] }, four, /data must be an array, or/],
    ['bytes behind the shorthand', { data: [1] }, four, /4 bytes are left behind/],
    ['a Nest packet', { pattern: 'infer', data: { inputs: [x] } }, four, /Nest packet/],
    ['an output that is neither', { inputs: [x], outputs: [{ name: 'y', parameters: { binary_data: 1 } }] }, four, /binary_data must be true or false/],
    ['outputs that are neither', { inputs: [x], parameters: { binary_data_output: 'yes' } }, four, /binary_data_output. must be true or false/],
  ])('are refused with %s', (_, json, bytes, reason) => {
    const { code, message } = refusalOf(() => decode(binaryBody(json, bytes)));
    expect(code).toBe('INVALID_REQUEST');
    expect(message).toMatch(reason);
  }); // prettier-ignore

  it.each([[0], [-1], [1000], [1.5], ['x'], [null], [{}]])(
    'are refused where the header says %j',
    (length) => {
      const content = Buffer.from('{}');
      const properties = { headers: { 'inference-header-content-length': length } };
      const { code, message } = refusalOf(() => decodeRequest(content, { content, properties }));
      expect([code, message]).toEqual(['INVALID_REQUEST', expect.stringContaining('from 1 to 2 bytes')]);
    },
  );

  it('need the header', () => {
    const content = Buffer.from(JSON.stringify({ inputs: [x] }));
    const { message } = refusalOf(() => decodeRequest(content, { content, properties: {} }));
    expect(message).toContain('inference-header-content-length');
  });

  it.each([
    ['too few bytes', 'FP32', [2], 7, 'SHAPE_MISMATCH'],
    ['too many bytes', 'INT64', [2], 24, 'SHAPE_MISMATCH'],
    ['more elements than there can be', 'FP64', [2 ** 30, 2 ** 30], 8, 'SHAPE_MISMATCH'],
    ['an element that is cut off', 'BYTES', [1], 3, 'SHAPE_MISMATCH'],
  ] as const)('do not fit: %s', (_, datatype, dims, size, code) => {
    expect(refusalOf(() => readBinaryTensor('x', datatype, dims, Buffer.alloc(size))).code).toBe(code);
  });

  it.each([
    ['BOOL', Buffer.from([2]), 'DATATYPE_MISMATCH'],
    ['BYTES', Buffer.from([1, 0, 0, 0, 0xff]), 'DATATYPE_MISMATCH'],
    ['BYTES', Buffer.from([3, 0, 0, 0, 0xed, 0xa0, 0x80]), 'DATATYPE_MISMATCH'],
    ['BYTES', textElements(['a\0b']), 'DATATYPE_MISMATCH'],
    ['BYTES', textElements(['\0']), 'DATATYPE_MISMATCH'],
    ['BYTES', textElements(['a', 'b']), 'SHAPE_MISMATCH'],
    ['BYTES', Buffer.from([9, 0, 0, 0, 65]), 'SHAPE_MISMATCH'],
  ] as const)('hold what is no element: %s %j', (datatype, bytes, code) => {
    expect(refusalOf(() => readBinaryTensor('x', datatype, [1], bytes)).code).toBe(code);
  });

  it('are told which text ONNX Runtime would end at NUL', () => {
    const { message } = refusalOf(() => readBinaryTensor('x', 'BYTES', [2], textElements(['a', 'b\0c'])));
    expect(message).toContain("input 'x': element 1 is a string with NUL (U+0000)");
  });

  it('are not parts of the message that they came in, which would be kept alive by them', () => {
    const bytes = Buffer.from(Float32Array.of(1, 2).buffer);
    const tensor = readBinaryTensor('x', 'FP32', [2], bytes) as Float32Array;
    bytes.fill(0);
    expect([...tensor]).toEqual([1, 2]);
    expect(tensorBytes(tensor)).not.toEqual(bytes);
  });

  it('are all datatypes', () => {
    expect(Object.keys(CODECS).toSorted()).toEqual([...Object.keys(NUMBERS), 'BOOL', 'BYTES'].toSorted());
  });
});
