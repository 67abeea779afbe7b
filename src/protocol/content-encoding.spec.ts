import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { refusalOf } from '../../test/support/refusal.js';
import { readContent } from './content-encoding.js';

const body = Buffer.from('{"data":[1,2,3]}');
const read = (content: Buffer, contentEncoding?: unknown, maxBytes = 1000) =>
  readContent({ content, properties: { contentEncoding } }, maxBytes);

describe('readContent', () => {
  it.each([
    [undefined],
    [null],
    [''],
    [' '],
    ['identity'],
    ['Identity'],
    ['utf-8'],
    ['UTF-8'],
    ['UTF8'],
    ['US-ASCII'],
    ['binary'],
    ['identity, UTF-8'],
  ])('gives the body as it is, at once, with content_encoding %j', (encoding) => {
    expect(read(body, encoding)).toBe(body);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ])('decompresses %s', async (encoding, compress) => {
    expect(await read(compress(body), encoding)).toEqual(body);
  });

  // As Spring AMQP's post processors write it, which put the compression before the charset; and as HTTP clients do.
  it.each([
    ['gzip:UTF-8', gzipSync],
    ['gzip, UTF-8', gzipSync],
    ['gzip:utf-8', gzipSync],
    ['GZIP', gzipSync],
    [' gzip ', gzipSync],
    ['x-gzip', gzipSync],
    ['gzip, identity', gzipSync],
    ['Deflate', deflateSync],
    ['deflate:UTF-8', deflateSync],
    ['deflate, UTF-8', deflateSync],
  ])('decompresses what content_encoding calls %j', async (encoding, compress) => {
    expect(await read(compress(body), encoding)).toEqual(body);
  });

  it.each([
    ['br'],
    ['zip'],
    ['zip:UTF-8'],
    ['gzip, gzip'],
    ['gzip:deflate'],
    ['utf-16'],
    ['gzip:UTF-16'],
    ['zip\0'],
    ['toString'],
    [5],
  ])('says UNSUPPORTED_ENCODING to %j', (encoding) => {
    const { code, message } = refusalOf(() => read(body, encoding));
    expect(code).toBe('UNSUPPORTED_ENCODING');
    expect(message).toContain('send gzip, deflate or none');
  });

  it.each([
    ['gzip', body],
    ['deflate', body],
    ['gzip', gzipSync(body).subarray(0, 20)],
    ['gzip', Buffer.alloc(0)],
  ])('says UNSUPPORTED_ENCODING to a body that is not %s', async (encoding, content) => {
    await expect(read(content, encoding)).rejects.toMatchObject({ code: 'UNSUPPORTED_ENCODING' });
  });

  it('takes a body that is exactly as large as the limit, and says TOO_LARGE to a byte more', () => {
    expect(read(body, undefined, body.length)).toBe(body);
    const { code, message } = refusalOf(() => read(body, undefined, body.length - 1));
    expect(code).toBe('TOO_LARGE');
    expect(message).toContain('MAX_MESSAGE_BYTES');
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ])(
    'says TOO_LARGE to %s that is small itself and large after decompression',
    async (encoding, compress) => {
      const zeros = Buffer.alloc(1000);
      expect(await read(compress(zeros), encoding, 1000)).toEqual(zeros);
      await expect(read(compress(zeros), encoding, 999)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    },
  );

  it('says TOO_LARGE before it decompresses what is too large already', () => {
    expect(refusalOf(() => read(gzipSync(body), 'gzip', 10)).code).toBe('TOO_LARGE');
  });
});
