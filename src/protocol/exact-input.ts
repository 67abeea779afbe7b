import { InferenceRequest, RequestTensor } from './inference-request.js';
import { JsonObject } from './json-object.js';
import { textOf } from './json-text.js';
import { openPacket } from './request.decoder.js';
import { is64Bit } from './tensor.js';

/** An integer that JSON.parse may round, and not digits behind a point or in an exponent. No 64-bit integer has 21. */
const LONG_INTEGER = String.raw`(?<![\d.eE+-])-?\d{16,20}(?![\d.eE])`;
const HAS_LONG_INTEGER = new RegExp(LONG_INTEGER);
const TOKEN = new RegExp(String.raw`"|\\.|${LONG_INTEGER}`, 'g');

/**
 * The input of a request that is for 64-bit integers, read again with all digits: JSON.parse rounds integers beyond ±2^53,
 * which become decimal strings here, as a client may send them as well. It takes many times as long.
 *
 * @returns undefined where no integer is as long as that
 */
export function exactInput({ input, json }: InferenceRequest): InferenceRequest['input'] | undefined {
  const text = json ? textOf(json) : '';
  if (!hasLongInteger(text)) return undefined;
  const { body } = openPacket(JSON.parse(quoteLongIntegers(text)));
  if (input.form === 'row') return { form: 'row', data: body['data'] };
  const exact = body['inputs'] as readonly JsonObject[];
  return {
    form: 'tensors',
    tensors: input.tensors.map((tensor, index) =>
      isJson64Bit(tensor) ? { ...tensor, data: exact[index]?.['data'] } : tensor,
    ),
  };
}

/** Whether JSON.parse may round an integer of a text. */
export function hasLongInteger(json: string): boolean {
  return HAS_LONG_INTEGER.test(json);
}

function isJson64Bit({ datatype, data }: RequestTensor): boolean {
  return is64Bit(datatype) && !Buffer.isBuffer(data);
}

/** @param json valid JSON, where backslashes are in strings only */
function quoteLongIntegers(json: string): string {
  let isInString = false;
  return json.replace(TOKEN, (token) => {
    if (token === '"') isInString = !isInString;
    const isInteger = !isInString && token !== '"';
    return isInteger && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token;
  });
}
