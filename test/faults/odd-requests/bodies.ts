import * as fc from 'fast-check';
import { OddRequest } from './odd-requests.js';

const RANDOM_ONES = 60;
const LARGER_THAN_ALLOWED_BYTES = 20_000_000;
/** As JSON just below the 16 MiB that are allowed. */
const MANY_NUMBERS = 8_000_000;

/** Bodies that are no request, or only just are. The broker must take 20 MB. */
export function oddBodies(image: readonly number[], seed: number): OddRequest[] {
  const data = JSON.stringify(image);
  const json = `{"data":${data}}`;
  return [
    ...noJson(json),
    ...noRequest(data),
    ...hardToParse(),
    ...notQuiteOdd(data),
    ...fc.sample(randomBody(json), { seed, numRuns: RANDOM_ONES }),
  ];
}

function noJson(json: string): OddRequest[] {
  const code = 'INVALID_JSON';
  return [
    { oddity: 'no bytes', body: '', code },
    { oddity: 'UTF-16', body: Buffer.from(json, 'utf16le'), code },
    { oddity: 'NaN', body: json.replace(/\d+/, 'NaN'), code },
    { oddity: 'a comma too many', body: json.replace(']', ',]'), code },
    { oddity: 'two objects', body: json + json, code },
    { oddity: 'bytes that are no UTF-8', body: Buffer.from([0xc3, 0x28, 0xff]), code },
    { oddity: 'a null byte', body: `${json}\0`, code },
    {
      oddity: 'a model of bytes that are no UTF-8',
      body: Buffer.concat([Buffer.from('{"model":"dig'), Buffer.from([0xff]), Buffer.from(`its",${json.slice(1)}`)]),
      code,
    },
  ]; // prettier-ignore
}

function noRequest(data: string): OddRequest[] {
  const code = 'INVALID_REQUEST';
  return [
    { oddity: 'the data in __proto__', body: `{"__proto__":{"data":${data}}}`, code },
    { oddity: 'duplicate keys, the last one bad', body: `{"data":${data},"data":"none"}`, code },
    { oddity: 'a Nest packet of another pattern', body: `{"pattern":"train","data":{"data":${data}}}`, code },
    { oddity: 'a Nest packet with nothing in it', body: '{"pattern":"infer","id":"p"}', code },
    { oddity: 'an id of another type', body: `{"id":{"toString":1},"data":${data}}`, code },
    { oddity: '1e999', body: `{"data":${data.replace(/\d+/, '1e999')}}`, code: 'DATATYPE_MISMATCH' },
    { oddity: 'a model __proto__', body: `{"model":"__proto__","data":${data}}`, code: 'UNKNOWN_MODEL' },
  ]; // prettier-ignore
}

function hardToParse(): OddRequest[] {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  return [
    { oddity: '100,000 arrays in one another', body: nested(1e5), code: 'INVALID_REQUEST' },
    { oddity: '1,000,000 arrays in one another', body: nested(1e6), code: 'INVALID_REQUEST' },
    { oddity: 'such data', body: `{"data":${nested(1e6)}}`, code: 'SHAPE_MISMATCH' },
    { oddity: '1,000,000 arrays without an end', body: '['.repeat(1e6), code: 'INVALID_JSON' },
    { oddity: '100,000 objects in one another', body: objects(1e5), code: 'INVALID_REQUEST' },
    { oddity: '8,000,000 numbers', body: `{"data":[1${',1'.repeat(MANY_NUMBERS)}]}`, code: 'SHAPE_MISMATCH' },
    { oddity: '20 MB', body: Buffer.alloc(LARGER_THAN_ALLOWED_BYTES, ' '), code: 'TOO_LARGE' },
  ];
}

function notQuiteOdd(data: string): OddRequest[] {
  return [
    { oddity: 'duplicate keys, the last one good', body: `{"data":"none","data":${data}}` },
    { oddity: '__proto__ beside the data', body: `{"__proto__":{"model":7},"data":${data}}` },
    { oddity: 'a constructor', body: `{"constructor":{"prototype":1},"data":${data}}` },
    { oddity: 'a byte order mark', body: `\ufeff{"data":${data}}` },
    { oddity: 'null for what is not given', body: `{"id":null,"model":null,"inputs":null,"outputs":null,"data":${data}}` },
    { oddity: 'space all around', body: `\r\n\t {"data" : ${data} }\n` },
  ]; // prettier-ignore
}

function randomBody(json: string): fc.Arbitrary<OddRequest> {
  const truncated = fc
    .nat({ max: json.length - 1 })
    .map((length): OddRequest => ({ oddity: `the first ${length} bytes`, body: json.slice(0, length), code: 'INVALID_JSON' }));
  const noise = fc
    .uint8Array({ maxLength: 300 })
    .map((bytes): OddRequest => ({ oddity: 'random bytes', body: Buffer.from([0xff, ...bytes]), code: 'INVALID_JSON' }));
  const other = fc
    .jsonValue()
    .map((value): OddRequest => ({ oddity: 'other JSON', body: JSON.stringify([value]), code: 'INVALID_REQUEST' }));
  const otherObject = fc
    .jsonValue()
    .map((value): OddRequest => ({ oddity: 'another object', body: { rows: value }, code: 'INVALID_REQUEST' }));
  return fc.oneof(truncated, noise, other, otherObject);
} // prettier-ignore
