import { isAscii, isUtf8 } from 'node:buffer';
import { InferenceError } from '../inference/inference.errors.js';
import { findFault } from './json-fault.js';

/** Windows tools, .NET and Java write it at the beginning of a file, where it says nothing. */
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/**
 * The value that a body holds as JSON.
 *
 * @throws InferenceError INVALID_JSON, which tells where the body stops being JSON
 */
export function parseJson(json: Buffer): unknown {
  const text = textOf(json);
  try {
    return JSON.parse(text);
  } catch {
    throw invalidJson(json, text);
  }
}

/**
 * The text of a body. Bytes that are no UTF-8 are not replaced by U+FFFD, as `toString` would.
 *
 * @throws InferenceError INVALID_JSON
 */
export function textOf(json: Buffer): string {
  if (isAscii(json)) return json.toString('latin1'); // most bodies: costs less than looking for UTF-8
  if (!isUtf8(json))
    throw new InferenceError(
      'INVALID_JSON',
      `the body is not UTF-8 from byte offset ${invalidOffset(json)} on; send JSON in UTF-8, and say compression in content_encoding`,
    );
  return json.toString('utf8', startOf(json));
}

function startOf(json: Buffer): number {
  return json[0] === BYTE_ORDER_MARK[0] && json.indexOf(BYTE_ORDER_MARK) === 0 ? BYTE_ORDER_MARK.length : 0;
}

function invalidJson(json: Buffer, text: string): InferenceError {
  return new InferenceError('INVALID_JSON', explain(json, text));
}

function explain(json: Buffer, text: string): string {
  if (text.trim() === '') return 'the body is empty; send a JSON object';
  const body = `the body (${json.length} bytes) is not JSON`;
  const fault = findFault(text);
  if (!fault) return `${body}; send a JSON object`;
  if (fault.at === text.length) return `${body}: it ends too early; send all of it`;
  const offset = startOf(json) + Buffer.byteLength(text.slice(0, fault.at));
  return fault.number
    ? `${body}: it has ${fault.number} at byte offset ${offset}; send null for NaN in floating-point data, or binary tensors`
    : `${body} from byte offset ${offset} on; send a JSON object`;
}

/** Where the first bytes are that are no UTF-8. By halves, because a body may be long. */
function invalidOffset(bytes: Buffer): number {
  let valid = 0;
  let end = bytes.length;
  while (end - valid > 8) {
    let middle = (valid + end) >>> 1;
    for (let steps = 0; steps < 3 && isContinuation(bytes[middle]); steps++) middle--;
    if (isUtf8(bytes.subarray(valid, middle))) valid = middle;
    else end = middle;
  }
  const character = () => [1, 2, 3, 4].find((size) => isUtf8(bytes.subarray(valid, valid + size)));
  for (let size = character(); size !== undefined; size = character()) valid += size;
  return valid;
}

function isContinuation(byte = 0): boolean {
  return (byte & 0xc0) === 0x80;
}
