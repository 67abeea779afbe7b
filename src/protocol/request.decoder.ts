import { InferenceError, invalidRequest } from '../inference/inference.errors.js';
import { BinaryTensors, jsonLengthOf, NO_TENSORS } from './binary-tensors.js';
import { InferenceRequest, NestPacket } from './inference-request.js';
import { isObject, isString, JsonObject } from './json-object.js';
import { RequestMessage } from './message.js';
import { readDeadline } from './request.deadline.js';
import { readInput, readOutputs } from './request.tensors.js';

/** The pattern that Nest's `ClientProxy` addresses: `client.send('infer', request)`. */
export const INFER_PATTERN = 'infer';

/**
 * On a dead letter or a copy: the model that a worker has written into `x-model` because the request had no such header.
 * A request that has both, and the same in them, asks for none by `x-model`.
 */
export const RESOLVED_MODEL_HEADER = 'x-model-resolved';

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
    throw invalidRequest(`this queue serves the pattern '${INFER_PATTERN}' only`);
  const parameters = optionalObject(body, 'parameters');
  const { outputs, binaryOutputs } = readOutputs(body['outputs'], parameters?.['binary_data_output']);
  if (packet && (jsonLength !== undefined || binaryOutputs))
    throw invalidRequest(
      'a Nest packet holds no binary tensors; send the V2 request by itself, or ask for JSON',
    );
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
  if (!isObject(value)) throw invalidRequest('the body must be a JSON object with `data` or `inputs`');
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
  if (id !== undefined && !isString(id)) throw invalidRequest('`id` must be a string');
  if (id !== undefined) return id;
  const { messageId, correlationId } = message.properties;
  return isString(messageId) ? messageId : isString(correlationId) ? correlationId : undefined;
}

function modelName(body: JsonObject, { properties }: RequestMessage): string | undefined {
  const { headers, type } = properties;
  const noted = headers?.['x-model'];
  const asked = noted && noted === headers?.[RESOLVED_MODEL_HEADER] ? undefined : noted;
  const name = asked || body['model'] || body['model_name'] || type;
  if (name === undefined || name === '') return undefined;
  if (!isString(name))
    throw invalidRequest('the model name (header x-model, `model`, `model_name`) must be a string');
  return name;
}

/** A larger body is not read twice for its deadline. */
const FORESEEABLE_BYTES = 1 << 20;
const TIMEOUT = Buffer.from('"timeout"');

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
      const length = jsonLengthOf(content, message);
      const json = length === undefined ? content : content.subarray(0, length);
      if (json.length <= FORESEEABLE_BYTES && json.includes(TIMEOUT))
        return decodeRequest(content, message, receivedAt).deadline;
    } catch {} // which it is told when its turn comes
  return readDeadline(properties, undefined, receivedAt);
}

function optionalObject(body: JsonObject, name: string): JsonObject | undefined {
  const value = body[name];
  if (value !== undefined && !isObject(value)) throw invalidRequest(`\`${name}\` must be an object`);
  return value;
}
