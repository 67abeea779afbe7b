import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { InferenceError } from '../inference/inference.errors.js';
import { RequestMessage } from './message.js';

const DECODERS = { gzip: promisify(gunzip), deflate: promisify(inflate) };

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
  // "utf-8" is no compression, but pika's and Celery's examples write it here, and it changes nothing.
  if (!encoding || (typeof encoding === 'string' && /^(identity|utf-?8)$/i.test(encoding))) return content;
  if (encoding !== 'gzip' && encoding !== 'deflate')
    throw new InferenceError(
      'UNSUPPORTED_ENCODING',
      `content_encoding ${JSON.stringify(encoding)} is not supported; send gzip, deflate or none`,
    );
  return DECODERS[encoding](content, { maxOutputLength: maxBytes }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ERR_BUFFER_TOO_LARGE'
      ? tooLarge('is too large after decompression', maxBytes)
      : new InferenceError(
          'UNSUPPORTED_ENCODING',
          `the body is not valid ${encoding} (${error.code ?? 'unreadable'})`,
        );
  });
}

function tooLarge(what: string, maxBytes: number): InferenceError {
  return new InferenceError(
    'TOO_LARGE',
    `the body ${what}; the limit is ${maxBytes} bytes (MAX_MESSAGE_BYTES)`,
  );
}
