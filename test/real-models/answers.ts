import { Letter } from '../support/broker-client.js';
import { BinaryTensor } from './recording.js';

interface AnswerJson {
  readonly outputs: readonly (Omit<BinaryTensor, 'bytes'> & {
    readonly parameters: { readonly binary_data_size: number };
  })[];
}

/**
 * The outputs of an answer whose tensors are bytes.
 *
 * @throws Error with code and message of an error answer
 */
export function outputsOf(letter: Letter): BinaryTensor[] {
  const { content, headers, properties } = letter;
  if (properties.type !== 'inference.result')
    throw new Error(`${String(letter.body['code'])}: ${String(letter.body['error'])}`);
  const length = Number(headers['inference-header-content-length']);
  const { outputs } = JSON.parse(content.subarray(0, length).toString()) as AnswerJson;
  let at = length;
  return outputs.map(({ name, datatype, shape, parameters: { binary_data_size: size } }) => {
    at += size;
    return { name, datatype, shape, bytes: content.subarray(at - size, at) };
  });
}
