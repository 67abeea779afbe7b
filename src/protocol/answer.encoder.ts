import { createHash } from 'node:crypto';
import { InferenceError } from '../inference/inference.errors.js';
import { InferenceRequest } from './inference-request.js';
import { RequestMessage } from './message.js';
import { ModelSignature, RowOutput } from './rows.js';
import { Datatype, NumericData, TensorData } from './tensor.js';

/** What results need to know of the model that made them. */
export interface AnsweringModel extends ModelSignature {
  readonly version: string;
  /** The name of each class, where the model classifies. */
  readonly labels?: readonly string[];
}

/** What an answer needs to know of its request. */
export type Identity = Pick<InferenceRequest, 'id' | 'packet'>;

/**
 * A V2 response, in Nest's envelope where the request came in one. The JSON is put together by hand: this runs
 * once a message, and is about 3 µs cheaper than `JSON.stringify` of an object.
 */
export function encodeResult(
  request: Identity & Pick<InferenceRequest, 'outputs'>,
  model: AnsweringModel,
  rows: readonly RowOutput[],
): Buffer {
  const outputs = model.outputs.map((spec, index) => {
    if (request.outputs && !request.outputs.includes(spec.name)) return '';
    const rowDims = rows[0]?.dims[index] ?? [];
    const shape = model.isBatched ? [rows.length, ...rowDims] : rowDims;
    const data = rows.map((row) => elementsJson(spec.datatype, row.tensors[index] as TensorData));
    return `{"name":${quote(spec.name)},"shape":[${shape.join(',')}],"datatype":"${spec.datatype}","data":[${data.filter(Boolean).join(',')}]}`;
  });
  const id = request.id === undefined ? '' : `,"id":${quote(request.id)}`;
  const named = `"model_name":${quote(model.name)},"model_version":${quote(model.version)}${id}`;
  const body = `{${named},"outputs":[${outputs.filter(Boolean).join(',')}]${labelParameters(model, rows)}}`;
  return Buffer.from(inEnvelope(request, 'response', body));
}

/** The error answer, in Nest's envelope (as `err`) where the request came in one. */
export function encodeError(request: Identity, error: InferenceError): Buffer {
  const body = JSON.stringify({ id: request.id, error: error.message, code: error.code });
  return Buffer.from(inEnvelope(request, 'err', body));
}

/**
 * The answer's `message_id`: the same for the same request whenever and wherever it is answered, so that a
 * consumer can drop duplicates.
 */
export function answerId(message: RequestMessage, id: string | undefined): string {
  const { messageId, correlationId } = message.properties;
  if (typeof messageId === 'string' && messageId !== '') return bounded(`${messageId}.answer`);
  const names = new Set([correlationId, id].filter((name) => typeof name === 'string' && name !== ''));
  return names.size > 0 ? bounded(`${[...names].join('.')}.answer`) : digest(message.content);
}

/** AMQP short strings hold 255 bytes. */
function bounded(name: string): string {
  return Buffer.byteLength(name) <= 255 ? name : digest(name);
}

function digest(content: Buffer | string): string {
  return `${createHash('sha256').update(content).digest('hex').slice(0, 32)}.answer`;
}

function inEnvelope({ packet }: Identity, key: 'response' | 'err', body: string): string {
  if (!packet) return body;
  const id = packet.id === undefined ? '' : `"id":${quote(packet.id)},`;
  return `{${id}"${key}":${body},"isDisposed":true}`;
}

function labelParameters({ outputs, labels }: AnsweringModel, rows: readonly RowOutput[]): string {
  if (!labels) return '';
  const scores = outputs.findIndex(({ datatype }) => datatype === 'FP32' || datatype === 'FP64');
  const best = rows.map((row) => {
    const data = row.tensors[scores] as NumericData | undefined;
    if (data?.length !== labels.length) return undefined;
    let at = -1;
    let score = -Infinity;
    data.forEach((value, index) => {
      if (value > score) [at, score] = [index, value];
    });
    return at < 0 ? undefined : { label: labels[at] as string, score };
  });
  if (best.includes(undefined)) return '';
  const label = best.map((row) => quote(row?.label ?? ''));
  const score = best.map((row) => numberJson(row?.score ?? NaN));
  return `,"parameters":{"label":[${label.join(',')}],"score":[${score.join(',')}]}`;
}

function elementsJson(datatype: Datatype, data: TensorData): string {
  if (Array.isArray(data)) return data.map(quote).join(',');
  switch (datatype) {
    case 'BOOL':
      return Array.from(data as Uint8Array, (value) => (value === 0 ? 'false' : 'true')).join(',');
    case 'FP32':
    case 'FP64':
      return floatsJson(data as NumericData);
    default:
      return data.join(',');
  }
}

function floatsJson(data: NumericData): string {
  let json = '';
  for (let i = 0; i < data.length; i++)
    json += i === 0 ? numberJson(data[0] as number) : ',' + numberJson(data[i] as number);
  return json;
}

/** JSON has no NaN and no infinity: they become `null`, as `JSON.stringify` has it. */
function numberJson(value: number): string {
  return value - value === 0 ? String(value) : 'null';
}

/** Names and ids are mostly plain: then no escaping is needed. */
function quote(value: string): string {
  return /^[\w .:/-]*$/.test(value) ? `"${value}"` : JSON.stringify(value);
}
