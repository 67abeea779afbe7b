import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { InferenceError } from '../inference/inference.errors.js';
import { isString } from './json-object.js';
import { RequestMessage } from './message.js';

const DECODERS = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/** None of them is a compression. Only `identity` belongs here, but pika's examples write the charset, and kombu `binary`. */
const PLAIN: ReadonlySet<string> = new Set(['', 'identity', 'utf-8', 'utf8', 'us-ascii', 'ascii', 'binary']);

/**
 * The body of a message, decompressed where `content_encoding` says so, and never more than `maxBytes`: what
 * would be larger is refused before it is allocated.
 *
 * @throws InferenceError TOO_LARGE or UNSUPPORTED_ENCODING
 */
export function readContent(message: RequestMessage, maxBytes: number): Buffer | Promise<Buffer> {
  const { content, properties } = message;
  if (content.length > maxBytes) throw tooLarge(`is ${content.length} bytes`, maxBytes);
  const encoding = properties.contentEncoding;
  if (!isCompressed(encoding)) return content;
  const [compression, ...more] = isString(encoding) ? compressionsOf(encoding) : [];
  if (more.length > 0 || (compression !== 'gzip' && compression !== 'deflate'))
    throw new InferenceError(
      'UNSUPPORTED_ENCODING',
      `content_encoding ${JSON.stringify(encoding)} is not supported; send gzip, deflate or none`,
    );
  return DECODERS[compression](content, { maxOutputLength: maxBytes }).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === 'ERR_BUFFER_TOO_LARGE'
        ? tooLarge('is too large after decompression', maxBytes)
        : new InferenceError(
            'UNSUPPORTED_ENCODING',
            `the body is not valid ${compression} (${error.code ?? 'unreadable'})`,
          );
    },
  );
}

/** @param encoding what `content_encoding` says */
export function isCompressed(encoding: unknown): boolean {
  if (!encoding) return false;
  if (!isString(encoding)) return true;
  return !PLAIN.has(encoding.toLowerCase()) && compressionsOf(encoding).length > 0; // the first tells the usual ones
}

/**
 * The compressions that an encoding names. Spring AMQP puts its own before the charset: `gzip, UTF-8`, before 2.3
 * `gzip:UTF-8`. As in HTTP, case does not matter, and `x-gzip` is gzip.
 */
function compressionsOf(encoding: string): string[] {
  return encoding
    .toLowerCase()
    .split(/[,:]/)
    .map((name) => name.trim().replace(/^x-/, ''))
    .filter((name) => !PLAIN.has(name));
}

function tooLarge(what: string, maxBytes: number): InferenceError {
  return new InferenceError(
    'TOO_LARGE',
    `the body ${what}; the limit is ${maxBytes} bytes (MAX_MESSAGE_BYTES)`,
  );
}
