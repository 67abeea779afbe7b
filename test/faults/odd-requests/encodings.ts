import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { type ErrorCode } from '../../../src/inference/inference.errors.js';
import { OddRequest } from './odd-requests.js';

const BOMB_BYTES = 64 * 1024 * 1024;
const BOMBS = 20;
/** The load and the probes wait for it. */
const QUICKLY = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

/** Bodies in another encoding than their properties say, and such as are small only as long as they are compressed. */
export function oddEncodings(image: readonly number[]): OddRequest[] {
  const json = Buffer.from(JSON.stringify({ data: image }));
  const zipped = gzipSync(json);
  const zeros = Buffer.alloc(BOMB_BYTES);
  const bombs = { gzip: gzipSync(zeros), deflate: deflateSync(zeros) };
  return [
    ...Array.from({ length: BOMBS }, (_, index) => {
      const encoding = index % 2 === 0 ? 'gzip' : 'deflate';
      return encoded(`a ${encoding} bomb`, bombs[encoding], encoding, 'TOO_LARGE');
    }),
    encoded('a brotli bomb', brotliCompressSync(zeros, QUICKLY), 'br', 'UNSUPPORTED_ENCODING'),
    encoded('gzip that is none', json, 'gzip', 'UNSUPPORTED_ENCODING'),
    encoded('deflate that is gzip', zipped, 'deflate', 'UNSUPPORTED_ENCODING'),
    encoded('half of a gzip', zipped.subarray(0, zipped.length / 2), 'gzip', 'UNSUPPORTED_ENCODING'),
    encoded('gzip of nothing', Buffer.alloc(0), 'gzip', 'UNSUPPORTED_ENCODING'),
    encoded('gzip of no JSON', gzipSync('seven'), 'gzip', 'INVALID_JSON'),
    encoded('gzip in gzip', gzipSync(zipped), 'gzip', 'INVALID_JSON'),
    encoded('gzip that does not say so', zipped, undefined, 'INVALID_JSON'),
    encoded('two encodings', gzipSync(zipped), 'gzip, gzip', 'UNSUPPORTED_ENCODING'),
    encoded('an unheard-of encoding', json, 'zip\u0000', 'UNSUPPORTED_ENCODING'),
    encoded('gzip', zipped, 'gzip'),
    encoded('deflate', deflateSync(json), 'deflate'),
    encoded('gzip of UTF-8, as Spring AMQP writes it', zipped, 'gzip, UTF-8'),
    encoded('UTF-8 as its encoding', json, 'utf-8'),
    { oddity: 'another content type', body: json, options: { contentType: 'image/png' } },
    { oddity: 'another charset', body: json, options: { contentType: 'application/json; charset=utf-16' } },
    { oddity: 'no content type', body: json, options: { contentType: undefined } },
  ];
}

function encoded(oddity: string, body: Buffer, contentEncoding?: string, code?: ErrorCode): OddRequest {
  return { oddity, body, options: { contentEncoding }, code };
}
