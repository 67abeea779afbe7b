import { InferenceError } from '../inference/inference.errors.js';
import { BinaryTensors, jsonLengthOf, NO_TENSORS } from './binary-tensors.js';
import { InferenceRequest, NestPacket, RequestTensor } from './inference-request.js';
import { RequestMessage } from './message.js';
import { readDeadline } from './request.deadline.js';

/** The pattern that Nest's `ClientProxy` addresses: `client.send('infer', request)`. */
export const INFER_PATTERN = 'infer';

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Decodes a body in any of the wire forms: JSON, told apart by its content, or JSON with binary tensors behind it, told by
 * a header.
 *
 * @param content the body, decompressed
 * @param receivedAt when the message came in, on the clock of `performance.now()`
 * @throws InferenceError INVALID_JSON or INVALID_REQUEST
 */
export function decodeRequest(
  content: Buffer,
  message: RequestMessage,
  receivedAt = performance.now(),
): InferenceRequest {
  const jsonLength = jsonLengthOf(content, message);
  const json = parseJson(content, jsonLength);
  const { body, packet } = openPacket(json);
  if (packet && !isInferPattern(json['pattern']))
    throw invalid(`this queue serves the pattern '${INFER_PATTERN}' only`);
  const parameters = optionalObject(body, 'parameters');
  const { outputs, binaryOutputs } = readOutputs(body['outputs'], parameters?.['binary_data_output']);
  if (packet && (jsonLength !== undefined || binaryOutputs))
    throw invalid('a Nest packet holds no binary tensors; send the V2 request by itself, or ask for JSON');
  return {
    id: requestId(body, message),
    model: modelName(body, message),
    input: readInput(
      body,
      jsonLength === undefined ? NO_TENSORS : new BinaryTensors(content.subarray(jsonLength)),
    ),
    outputs,
    binaryOutputs,
    deadline: readDeadline(message.properties, parameters?.['timeout'], receivedAt),
    packet,
  };
}

/**
 * What an error answer needs to find its requester, read from a body that may be broken. Never throws.
 *
 * @param content the body, decompressed where that was possible
 */
export function identify(content: Buffer, message: RequestMessage): Pick<InferenceRequest, 'id' | 'packet'> {
  try {
    const { body, packet } = openPacket(parseJson(content, jsonLengthOf(content, message)));
    return { id: requestId(isString(body['id']) ? body : {}, message), packet };
  } catch {
    return { id: requestId({}, message) };
  }
}

/** @param length of the JSON; default: all is */
function parseJson(content: Buffer, length = content.length): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(content.toString('utf8', 0, length));
  } catch {
    // V8's own message quotes the body, which must not reach a log.
    throw new InferenceError('INVALID_JSON', `the body (${length} bytes) is not JSON; send a JSON object`);
  }
  if (!isObject(value)) throw invalid('the body must be a JSON object with `data` or `inputs`');
  return value;
}

function openPacket(value: JsonObject): { body: JsonObject; packet?: NestPacket } {
  const { pattern, data, id } = value;
  if (!isString(pattern) && !isObject(pattern)) return { body: value };
  const packet = { id: isString(id) ? id : undefined };
  if (!isObject(data)) return { body: { data }, packet };
  return { body: data, packet };
}

/** `'infer'`, or Nest's customary object pattern `{ cmd: 'infer' }`. */
function isInferPattern(pattern: unknown): boolean {
  return pattern === INFER_PATTERN || (isObject(pattern) && pattern['cmd'] === INFER_PATTERN);
}

function requestId(body: JsonObject, message: RequestMessage): string | undefined {
  const { id } = body;
  if (id !== undefined && !isString(id)) throw invalid('`id` must be a string');
  if (id !== undefined) return id;
  const { messageId, correlationId } = message.properties;
  return isString(messageId) ? messageId : isString(correlationId) ? correlationId : undefined;
}

function modelName(body: JsonObject, { properties }: RequestMessage): string | undefined {
  const { headers, type } = properties;
  const name = headers?.['x-model'] || body['model'] || body['model_name'] || type;
  if (name === undefined || name === '') return undefined;
  if (!isString(name))
    throw invalid('the model name (header x-model, `model`, `model_name`) must be a string');
  return name;
}

function readInput(body: JsonObject, bytes: BinaryTensors): InferenceRequest['input'] {
  const { inputs, data } = body;
  if (inputs === undefined) {
    if (!Array.isArray(data))
      throw invalid('the request needs `data` (an array) or `inputs` (an array of tensors)');
    bytes.end();
    return { form: 'row', data };
  }
  if (!Array.isArray(inputs)) throw invalid('`inputs` must be an array of tensors');
  const tensors = inputs.map((input, index) => readTensorHeader(input, index, bytes));
  bytes.end();
  const names = new Set(tensors.map((tensor) => tensor.name));
  if (names.size < tensors.length) throw invalid('`inputs` has two tensors of the same name');
  return { form: 'tensors', tensors };
}

function readTensorHeader(input: unknown, index: number, bytes: BinaryTensors): RequestTensor {
  const where = `inputs[${index}]`;
  if (!isObject(input)) throw invalid(`${where} must be an object with name, shape, datatype and data`);
  const { name, shape, datatype, data } = input;
  if (!isString(name)) throw invalid(`${where}.name must be a string`);
  if (!isShape(shape)) throw invalid(`${where}.shape must be an array of whole numbers`);
  if (!isString(datatype)) throw invalid(`${where}.datatype must be a string such as "FP32"`);
  const size = parametersOf(input)['binary_data_size'];
  if ((data === undefined || data === null) && size !== undefined)
    return { name, shape, datatype, data: bytes.take(where, size) };
  if (!Array.isArray(data))
    throw invalid(`${where}.data must be an array, or ${where}.parameters.binary_data_size be there instead`);
  if (size !== undefined) throw invalid(`${where} has both \`data\` and binary_data_size; leave out one`);
  return { name, shape, datatype, data };
}

const NO_PARAMETERS: JsonObject = {};
const ALL_JSON = {};
const ALL_BINARY = { binaryOutputs: 'all' } as const;

/** @param areAllBinary the request's parameter `binary_data_output`, which `binary_data` of an output overrides */
function readOutputs(
  outputs: unknown,
  areAllBinary: unknown = false,
): Pick<InferenceRequest, 'outputs' | 'binaryOutputs'> {
  if (!isBoolean(areAllBinary)) throw invalid('`parameters.binary_data_output` must be true or false');
  if (outputs !== undefined && !Array.isArray(outputs))
    throw invalid('`outputs` must be an array of objects with a name');
  if (!outputs || outputs.length === 0) return areAllBinary ? ALL_BINARY : ALL_JSON;
  const names: string[] = [];
  const binary: string[] = [];
  for (const [index, output] of (outputs as unknown[]).entries()) {
    if (!isObject(output) || !isString(output['name']))
      throw invalid(`outputs[${index}].name must be a string`);
    const isBinary = parametersOf(output)['binary_data'] ?? areAllBinary;
    if (!isBoolean(isBinary)) throw invalid(`outputs[${index}].parameters.binary_data must be true or false`);
    names.push(output['name']);
    if (isBinary) binary.push(output['name']);
  }
  return binary.length > 0 ? { outputs: names, binaryOutputs: binary } : { outputs: names };
}

/** A larger body is not read twice for its deadline. */
const FORESEEABLE_BYTES = 1 << 20;

/**
 * The deadline of a message that has not been decoded yet, as far as it can be told for little: the body is decoded only
 * where it is likely to hold one, and not when it is compressed. Never throws.
 *
 * @param receivedAt as for {@link decodeRequest}
 */
export function foreseeDeadline(message: RequestMessage, receivedAt: number): number | undefined {
  const { content, properties } = message;
  if (!properties.contentEncoding)
    try {
      const length = jsonLengthOf(content, message) ?? content.length;
      if (length <= FORESEEABLE_BYTES && content.subarray(0, length).includes('"timeout"'))
        return decodeRequest(content, message, receivedAt).deadline;
    } catch {} // which it is told when its turn comes
  return readDeadline(properties, undefined, receivedAt);
}

/** Of a tensor. Some clients write `null` or `[]` for none. */
function parametersOf({ parameters }: JsonObject): JsonObject {
  return isObject(parameters) ? parameters : NO_PARAMETERS;
}

function optionalObject(body: JsonObject, name: string): JsonObject | undefined {
  const value = body[name];
  if (value !== undefined && !isObject(value)) throw invalid(`\`${name}\` must be an object`);
  return value;
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function invalid(message: string): InferenceError {
  return new InferenceError('INVALID_REQUEST', message);
}
