import { invalidRequest } from '../inference/inference.errors.js';
import { BinaryTensors, jsonLengthOf, NO_TENSORS } from './binary-tensors.js';
import { isCompressed } from './content-encoding.js';
import { InferenceRequest, NestPacket } from './inference-request.js';
import { isGiven, isObject, isString, JsonObject } from './json-object.js';
import { parseJson, textOf } from './json-text.js';
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
  const json = jsonLength === undefined ? content : content.subarray(0, jsonLength);
  const { body, packet, pattern } = openPacket(parseJson(json));
  if (packet && !isInferPattern(pattern))
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
    json,
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
    const json = content.subarray(0, jsonLengthOf(content, message));
    const { body, packet } = openPacket(JSON.parse(textOf(json))); // why it is no JSON is told already
    return { id: requestId(isString(body['id']) ? body : {}, message), packet };
  } catch {
    return { id: requestId({}, message) };
  }
}

interface OpenedPacket {
  readonly body: JsonObject;
  readonly packet?: NestPacket;
  /** Of the packet. */
  readonly pattern?: unknown;
}

/**
 * The request by itself, where it came in a Nest packet.
 *
 * @throws InferenceError INVALID_REQUEST
 */
export function openPacket(value: unknown): OpenedPacket {
  if (!isObject(value)) throw invalidRequest('the body must be a JSON object with `data` or `inputs`');
  const { pattern, data, id } = value;
  if (!isString(pattern) && !isObject(pattern)) return { body: value };
  const packet = { id: isString(id) ? id : undefined };
  return { body: isObject(data) ? data : { data }, packet, pattern };
}

/** `'infer'`, or Nest's customary object pattern `{ cmd: 'infer' }`. */
function isInferPattern(pattern: unknown): boolean {
  return pattern === INFER_PATTERN || (isObject(pattern) && pattern['cmd'] === INFER_PATTERN);
}

function requestId(body: JsonObject, message: RequestMessage): string | undefined {
  const { id } = body;
  if (isString(id)) return id;
  if (isGiven(id)) throw invalidRequest('`id` must be a string');
  const { messageId, correlationId } = message.properties;
  return isString(messageId) ? messageId : isString(correlationId) ? correlationId : undefined;
}

function modelName(body: JsonObject, { properties }: RequestMessage): string | undefined {
  const { headers, type } = properties;
  const noted = headers?.['x-model'];
  const asked = noted === headers?.[RESOLVED_MODEL_HEADER] ? undefined : noted;
  const name =
    unlessEmpty(asked) ?? unlessEmpty(body['model']) ?? unlessEmpty(body['model_name']) ?? unlessEmpty(type);
  if (!isGiven(name)) return undefined;
  if (!isString(name))
    throw invalidRequest('the model name (header x-model, `model`, `model_name`) must be a string');
  return name;
}

function unlessEmpty(value: unknown): unknown {
  return value === '' ? undefined : value;
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
  if (!isCompressed(properties.contentEncoding))
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
  if (!isGiven(value)) return undefined;
  if (!isObject(value)) throw invalidRequest(`\`${name}\` must be an object`);
  return value;
}
