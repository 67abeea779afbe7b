import { isUtf8 } from 'node:buffer';
import { InferenceError, invalidRequest } from '../inference/inference.errors.js';
import { RequestMessage } from './message.js';
import { allocate, CODECS, Datatype, elementCount, TensorData } from './tensor.js';
import { datatypeMismatch, pooledFloats } from './tensor.reader.js';

/** The AMQP header that says how many bytes of JSON precede the tensors; of the name that it has in HTTP. */
export const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** Before each element of a `BYTES` tensor. */
const LENGTH_BYTES = 4;

/**
 * How many bytes of a body are JSON where it is of the binary tensor extension; the bytes of the tensors follow.
 * Source: Triton's docs/protocol/extension_binary_data.md.
 *
 * @param content the body, decompressed
 * @returns undefined for a body that is all JSON
 * @throws InferenceError INVALID_REQUEST when the header does not fit the body
 */
export function jsonLengthOf(content: Buffer, { properties }: RequestMessage): number | undefined {
  const header = properties.headers?.[JSON_LENGTH_HEADER];
  if (header === undefined) return undefined;
  const length = typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : header;
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length <= 0 || length > content.length)
    throw invalidRequest(
      `the header ${JSON_LENGTH_HEADER} must be the length of the JSON at the beginning of the body, from 1 to ${content.length} bytes`,
    );
  return length;
}

/** The bytes of a request's tensors, handed out in the order in which they are asked for. */
export class BinaryTensors {
  private at = 0;

  /** @param bytes what follows the JSON; undefined where nothing may */
  constructor(private readonly bytes: Buffer | undefined) {}

  /**
   * @param size what the tensor's `parameters.binary_data_size` says
   * @throws InferenceError INVALID_REQUEST
   */
  take(where: string, size: unknown): Buffer {
    if (!this.bytes)
      throw invalidRequest(
        `${where} says binary_data_size, but the message has no header ${JSON_LENGTH_HEADER}; add it, or send \`data\``,
      );
    const left = this.bytes.length - this.at;
    if (!Number.isSafeInteger(size) || (size as number) < 0)
      throw invalidRequest(`${where}.parameters.binary_data_size must be a whole number of bytes`);
    if ((size as number) > left)
      throw invalidRequest(
        `${where}.parameters.binary_data_size is ${size as number}, and ${left} bytes are left in the body`,
      );
    const start = this.at;
    this.at += size as number;
    return this.bytes.subarray(start, this.at);
  }

  /** @throws InferenceError INVALID_REQUEST when some are left that no tensor has asked for */
  end(): void {
    const left = (this.bytes?.length ?? 0) - this.at;
    if (left > 0)
      throw invalidRequest(
        `${left} bytes are left behind the tensors; binary_data_size of \`inputs\` says less`,
      );
  }
}

/** Of a body that is all JSON. */
export const NO_TENSORS = new BinaryTensors(undefined);

/**
 * Reads the bytes of a tensor: little-endian, row-major; `BOOL` a byte of 0 or 1, `BYTES` a length of four bytes and
 * UTF-8 for each element. Any float is taken, also NaN and infinities, which JSON does not have.
 *
 * @throws InferenceError SHAPE_MISMATCH or DATATYPE_MISMATCH, with the input's name and what was expected
 */
export function readBinaryTensor(
  input: string,
  datatype: Datatype,
  dims: readonly number[],
  bytes: Buffer,
): TensorData {
  const length = elementCount(dims);
  if (datatype === 'BYTES') return readTexts(input, dims, length, bytes);
  const size = length * bytesPerElement(datatype);
  // Checked before anything is allocated: the shape is the producer's word.
  if (bytes.length !== size)
    throw new InferenceError(
      'SHAPE_MISMATCH',
      `input '${input}': ${datatype}[${dims.join(', ')}] needs ${size} bytes, binary_data_size is ${bytes.length}`,
    );
  if (datatype === 'BOOL' && !areFlags(bytes))
    throw new InferenceError('DATATYPE_MISMATCH', `input '${input}': a BOOL must be a byte of 0 or 1`);
  const tensor = datatype === 'FP32' ? pooledFloats(length) : allocate(datatype, length);
  bytes.copy(viewOf(tensor as Exclude<TensorData, string[]>));
  return tensor;
}

/** The bytes of a tensor, as {@link readBinaryTensor} reads them; where it holds numbers, in its own memory. */
export function tensorBytes(tensor: TensorData): Buffer {
  if (!Array.isArray(tensor)) return viewOf(tensor);
  const length = tensor.reduce((sum, text) => sum + LENGTH_BYTES + Buffer.byteLength(text), 0);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const text of tensor) {
    const start = bytes.writeUInt32LE(Buffer.byteLength(text), at);
    at = start + bytes.write(text, start);
  }
  return bytes;
}

function viewOf({ buffer, byteOffset, byteLength: length }: Exclude<TensorData, string[]>): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

function readTexts(input: string, dims: readonly number[], length: number, bytes: Buffer): string[] {
  const texts: string[] = [];
  let at = 0;
  while (texts.length < length && at + LENGTH_BYTES <= bytes.length) {
    const start = at + LENGTH_BYTES;
    const end = start + bytes.readUInt32LE(at);
    if (end > bytes.length) break;
    if (!isUtf8(bytes.subarray(start, end)))
      throw new InferenceError(
        'DATATYPE_MISMATCH',
        `input '${input}': element ${texts.length} of BYTES is no text in UTF-8`,
      );
    const text = bytes.toString('utf8', start, end);
    if (!CODECS.BYTES.write(texts, texts.length, text))
      throw datatypeMismatch(input, texts.length, text, 'BYTES');
    at = end;
  }
  if (texts.length < length || at < bytes.length)
    throw new InferenceError(
      'SHAPE_MISMATCH',
      `input '${input}': BYTES[${dims.join(', ')}] needs ${length} elements, each of four bytes for its length and so many of text; there are ${texts.length} of them in the first ${at} of ${bytes.length} bytes`,
    );
  return texts;
}

function areFlags(bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index++) if ((bytes[index] as number) > 1) return false;
  return true;
}

function bytesPerElement(datatype: Exclude<Datatype, 'BYTES'>): number {
  return (allocate(datatype, 0) as Exclude<TensorData, string[]>).BYTES_PER_ELEMENT;
}
