import { invalidRequest } from '../inference/inference.errors.js';
import { BinaryTensors } from './binary-tensors.js';
import { InferenceRequest, RequestTensor } from './inference-request.js';
import { isBoolean, isGiven, isObject, isString, JsonObject } from './json-object.js';

/**
 * What the model is to be given: one row in shorthand, or tensors.
 *
 * @throws InferenceError INVALID_REQUEST
 */
export function readInput(body: JsonObject, bytes: BinaryTensors): InferenceRequest['input'] {
  const { inputs, data } = body;
  if (!isGiven(inputs)) {
    if (!Array.isArray(data))
      throw invalidRequest('the request needs `data` (an array) or `inputs` (an array of tensors)');
    bytes.end();
    return { form: 'row', data };
  }
  if (!Array.isArray(inputs)) throw invalidRequest('`inputs` must be an array of tensors');
  const tensors = inputs.map((input, index) => readTensorHeader(input, index, bytes));
  bytes.end();
  const names = new Set(tensors.map((tensor) => tensor.name));
  if (names.size < tensors.length) throw invalidRequest('`inputs` has two tensors of the same name');
  return { form: 'tensors', tensors };
}

function readTensorHeader(input: unknown, index: number, bytes: BinaryTensors): RequestTensor {
  const where = `inputs[${index}]`;
  if (!isObject(input))
    throw invalidRequest(`${where} must be an object with name, shape, datatype and data`);
  const { name, shape, datatype, data } = input;
  if (!isString(name)) throw invalidRequest(`${where}.name must be a string`);
  if (!isShape(shape)) throw invalidRequest(`${where}.shape must be an array of whole numbers`);
  if (!isString(datatype)) throw invalidRequest(`${where}.datatype must be a string such as "FP32"`);
  const size = parametersOf(input)['binary_data_size'];
  if (!isGiven(data) && isGiven(size)) return { name, shape, datatype, data: bytes.take(where, size) };
  if (!Array.isArray(data))
    throw invalidRequest(
      `${where}.data must be an array, or ${where}.parameters.binary_data_size be there instead`,
    );
  if (isGiven(size)) throw invalidRequest(`${where} has both \`data\` and binary_data_size; leave out one`);
  return { name, shape, datatype, data };
}

const NO_PARAMETERS: JsonObject = {};
const ALL_JSON = {};
const ALL_BINARY = { binaryOutputs: 'all' } as const;

/**
 * Which outputs are wanted, and which of them as bytes.
 *
 * @param areAllBinary the request's parameter `binary_data_output`, which `binary_data` of an output overrides
 * @throws InferenceError INVALID_REQUEST
 */
export function readOutputs(
  outputs: unknown,
  areAllBinary?: unknown,
): Pick<InferenceRequest, 'outputs' | 'binaryOutputs'> {
  if (isGiven(areAllBinary) && !isBoolean(areAllBinary))
    throw invalidRequest('`parameters.binary_data_output` must be true or false');
  if (isGiven(outputs) && !Array.isArray(outputs))
    throw invalidRequest('`outputs` must be an array of objects with a name');
  if (!Array.isArray(outputs) || outputs.length === 0) return areAllBinary ? ALL_BINARY : ALL_JSON;
  const names: string[] = [];
  const binary: string[] = [];
  for (const [index, output] of (outputs as unknown[]).entries()) {
    if (!isObject(output) || !isString(output['name']))
      throw invalidRequest(`outputs[${index}].name must be a string`);
    const isBinary = parametersOf(output)['binary_data'] ?? areAllBinary ?? false;
    if (!isBoolean(isBinary))
      throw invalidRequest(`outputs[${index}].parameters.binary_data must be true or false`);
    names.push(output['name']);
    if (isBinary) binary.push(output['name']);
  }
  return binary.length > 0 ? { outputs: names, binaryOutputs: binary } : { outputs: names };
}

/** Of a tensor. Some clients write `null` or `[]` for none. */
function parametersOf({ parameters }: JsonObject): JsonObject {
  return isObject(parameters) ? parameters : NO_PARAMETERS;
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
}
