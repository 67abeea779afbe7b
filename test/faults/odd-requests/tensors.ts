import * as fc from 'fast-check';
import { type ErrorCode } from '../../../src/inference/inference.errors.js';
import { binaryBody, binaryInput } from '../../support/binary-body.js';
import { OddRequest } from './odd-requests.js';

const RANDOM_ONES = 200;
const DATATYPES = [
  'BOOL',
  'UINT8',
  'UINT64',
  'INT32',
  'INT64',
  'FP64',
  'BYTES',
  'FP16',
  'fp32',
  '',
  '__proto__',
];

/** Tensors that are not what they say, or not what the models `digits` and `echo` take. */
export function lyingTensors(image: readonly number[], seed: number): OddRequest[] {
  const tensor = { name: 'image', shape: [1, image.length], datatype: 'FP32', data: image };
  const lie = (oddity: string, code: ErrorCode, change: object): OddRequest => ({
    oddity,
    code,
    body: { inputs: [{ ...tensor, ...change }] },
  });
  const bytes = Buffer.from(Float32Array.from(image).buffer);
  const binary = binaryInput('image', 'FP32', tensor.shape, bytes);
  const binaryLie = (oddity: string, code: ErrorCode, change: object): OddRequest => {
    const { content, options } = binaryBody({ inputs: [{ ...binary, ...change }] }, bytes);
    return { oddity, code, body: content, options };
  };
  return [
    binaryLie('fewer bytes than the shape needs', 'SHAPE_MISMATCH', { shape: [2, 64] }),
    binaryLie('bytes of another datatype', 'DATATYPE_MISMATCH', { datatype: 'FP64' }),
    binaryLie('more bytes than there are', 'INVALID_REQUEST', { parameters: { binary_data_size: 2 ** 52 } }),
    binaryLie('bytes that are of no tensor', 'INVALID_REQUEST', { parameters: {}, data: image }),
    lie('a negative dimension', 'INVALID_REQUEST', { shape: [-1, 64] }),
    lie('a fractional dimension', 'INVALID_REQUEST', { shape: [0.5, 128] }),
    lie('a dimension of 2^53', 'INVALID_REQUEST', { shape: [2 ** 53, 64] }),
    lie('no dimension', 'SHAPE_MISMATCH', { shape: [] }),
    lie('more elements than memory has', 'SHAPE_MISMATCH', { shape: [2 ** 50, 64] }),
    lie('elements beyond 2^53', 'SHAPE_MISMATCH', { shape: [2 ** 53 - 1, 64] }),
    lie('base64 without its padding', 'INVALID_REQUEST', { data: 'AAAAAAA' }),
    lie('ragged rows', 'SHAPE_MISMATCH', { data: [image.slice(1)] }),
    lie('a row within the flat data', 'DATATYPE_MISMATCH', { data: image.with(9, image as never) }),
    { oddity: 'no input', body: { inputs: [] }, code: 'MISSING_INPUT' },
    { oddity: 'one input more', body: { inputs: [tensor, { ...tensor, name: 'mask' }] }, code: 'UNKNOWN_INPUT' },
    { oddity: 'an output more', body: { inputs: [tensor], outputs: [{ name: 'odds' }] }, code: 'INVALID_REQUEST' },
    { oddity: 'an integer beyond INT64', body: echoed('int64', '9223372036854775808'), code: 'DATATYPE_MISMATCH' },
    { oddity: 'the same as a string', body: echoed('int64', '"9223372036854775808"'), code: 'DATATYPE_MISMATCH' },
    { oddity: 'a negative UINT8', body: echoed('uint8', '-1'), code: 'DATATYPE_MISMATCH' },
    { oddity: 'a fraction as INT32', body: echoed('int32', '0.5'), code: 'DATATYPE_MISMATCH' },
    { oddity: 'an FP32 beyond its range', body: echoed('fp32', '3.5e38'), code: 'DATATYPE_MISMATCH' },
    ...fc.sample(randomLie(image, lie), { seed, numRuns: RANDOM_ONES }),
  ]; // prettier-ignore
}

type Lie = (oddity: string, code: ErrorCode, change: object) => OddRequest;

function randomLie(image: readonly number[], lie: Lie): fc.Arbitrary<OddRequest> {
  const wrongShape = fc
    .array(fc.nat({ max: 100 }), { maxLength: 6 })
    .filter(([rows = 0, width, ...more]) => rows === 0 || width !== image.length || more.length > 0)
    .map((shape) => lie(`the shape [${shape.join()}]`, 'SHAPE_MISMATCH', { shape }));
  const wrongLength = fc
    .nat({ max: 200 })
    .filter((length) => length !== image.length)
    .map((length) => lie(`${length} elements`, 'SHAPE_MISMATCH', { data: Array.from({ length }, () => 1) }));
  const wrongDatatype = fc
    .constantFrom(...DATATYPES)
    .map((datatype) => lie(`the datatype ${datatype}`, 'DATATYPE_MISMATCH', { datatype }));
  const notANumber = fc
    .tuple(fc.nat({ max: image.length - 1 }), fc.constantFrom(true, '1', 'NaN', 'Infinity', {}))
    .map(([at, value]) =>
      lie(`${JSON.stringify(value)} at ${at}`, 'DATATYPE_MISMATCH', { data: image.with(at, value as never) }),
    );
  return fc.oneof(wrongShape, wrongLength, wrongDatatype, notANumber);
}

const ECHO_INPUTS = [
  'bool',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'int8',
  'int16',
  'int32',
  'int64',
  'fp32',
  'fp64',
];

/** A request to `echo`, which has an input of each datatype, with one element as this JSON. */
function echoed(input: string, element: string): string {
  const inputs = ECHO_INPUTS.map(
    (name) =>
      `{"name":"${name}","datatype":"${name.toUpperCase()}","shape":[1,2],"data":[0,${name === input ? element : 0}]}`,
  );
  return `{"model":"echo","inputs":[${inputs.join()},{"name":"bytes","datatype":"BYTES","shape":[1,2],"data":["",""]}]}`;
}
