import { InferenceError } from '../inference/inference.errors.js';
import { tensorBytes } from './binary-tensors.js';
import { InferenceRequest, NestPacket } from './inference-request.js';
import { JsonWriter, quote } from './json-writer.js';
import { ModelSignature, Rows } from './rows.js';
import { Datatype, elementCount, slice, TensorData, TensorSpec } from './tensor.js';

/** What results need to know of the model that made them. */
export interface AnsweringModel extends ModelSignature {
  readonly version: string;
  /** The name of each class, where the model classifies. */
  readonly labels?: readonly string[];
}

/** What an answer needs to know of its request. */
export type Identity = Pick<InferenceRequest, 'id' | 'packet'>;

/** The parts of a model's results that are the same in each. */
interface FixedParts {
  /** `{"model_name":…,"model_version":…` */
  readonly head: string;
  /** For each output `{"name":…,"shape":[` */
  readonly outputs: readonly string[];
  /** For each output `],"datatype":…,"data":[` */
  readonly datatypes: readonly string[];
  /** Quoted. */
  readonly labels?: readonly string[];
  /** The output that the labels are for. */
  readonly scores: number;
}

const fixedParts = new WeakMap<AnsweringModel, FixedParts>();

const writer = new JsonWriter();

/** JSON, and the bytes of the tensors that follow it. */
export interface BinaryBody {
  readonly json: string;
  readonly tensors: Buffer;
}

/**
 * A V2 response as JSON, in Nest's envelope where the request came in one; or with outputs as bytes behind it, where
 * the request has asked for that.
 */
export function encodeResult(
  request: Identity & Pick<InferenceRequest, 'outputs' | 'binaryOutputs'>,
  model: AnsweringModel,
  rows: Rows,
): string | BinaryBody {
  const fixed = fixedParts.get(model) ?? fixPartsOf(model);
  writer.start();
  if (request.packet) openEnvelope(request.packet, 'response');
  writer.raw(fixed.head);
  if (request.id !== undefined) writer.raw(',"id":').string(request.id);
  let tensors: Buffer[] | undefined;
  let separator = ',"outputs":[';
  for (let index = 0; index < model.outputs.length; index++) {
    const { name, datatype } = model.outputs[index] as TensorSpec;
    if (request.outputs && !request.outputs.includes(name)) continue;
    writer.raw(separator).raw(fixed.outputs[index] as string);
    writeShape(index, rows);
    const data = rows.tensors[index] as TensorData;
    const width = elementCount(rows.dims[index] as readonly number[]);
    const from = rows.first * width;
    const to = from + rows.count * width;
    if (request.binaryOutputs && isBinary(name, request.binaryOutputs))
      (tensors ??= []).push(writeBinaryData(datatype, slice(data, from, to)));
    else {
      writer.raw(fixed.datatypes[index] as string);
      writeElements(datatype, data, from, to);
      writer.raw(']}');
    }
    separator = ',';
  }
  writer.raw(']');
  writeLabels(fixed, rows);
  writer.raw(request.packet ? '},"isDisposed":true}' : '}');
  return tensors ? { json: writer.end(), tensors: Buffer.concat(tensors) } : writer.end();
}

function isBinary(name: string, binary: 'all' | readonly string[]): boolean {
  return binary === 'all' || binary.includes(name);
}

function fixPartsOf(model: AnsweringModel): FixedParts {
  const parts = {
    head: `{"model_name":${quote(model.name)},"model_version":${quote(model.version)}`,
    outputs: model.outputs.map(({ name }) => `{"name":${quote(name)},"shape":[`),
    datatypes: model.outputs.map(({ datatype }) => `],"datatype":"${datatype}","data":[`),
    labels: model.labels?.map(quote),
    scores: model.outputs.findIndex(({ datatype }) => datatype === 'FP32' || datatype === 'FP64'),
  };
  fixedParts.set(model, parts);
  return parts;
}

function writeShape(index: number, { dims, count, isWhole }: Rows): void {
  if (!isWhole) writer.number(count);
  const ownDims = dims[index] as readonly number[];
  for (let axis = 0; axis < ownDims.length; axis++) {
    if (axis > 0 || !isWhole) writer.raw(',');
    writer.number(ownDims[axis] as number);
  }
}

function writeElements(datatype: Datatype, data: TensorData, from: number, to: number): void {
  if (datatype === 'FP32') {
    writer.float32s(data as Float32Array, from, to);
    return;
  }
  for (let index = from; index < to; index++) {
    if (index > from) writer.raw(',');
    const value = data[index];
    if (typeof value === 'string') writer.string(value);
    else if (datatype === 'BOOL') writer.raw(value === 0 ? 'false' : 'true');
    else if (typeof value === 'number') writer.number(value);
    else writer.raw(String(value));
  }
}

/** @returns the bytes */
function writeBinaryData(datatype: Datatype, data: TensorData): Buffer {
  const bytes = tensorBytes(data);
  writer.raw(`],"datatype":"${datatype}","parameters":{"binary_data_size":${bytes.length}}}`);
  return bytes;
}

/** The error answer, in Nest's envelope (as `err`) where the request came in one. */
export function encodeError(request: Identity, error: InferenceError): string {
  writer.start();
  if (request.packet) openEnvelope(request.packet, 'err');
  writer.raw(JSON.stringify({ id: request.id, error: error.message, code: error.code }));
  if (request.packet) writer.raw(',"isDisposed":true}');
  return writer.end();
}

function openEnvelope({ id }: NestPacket, key: 'response' | 'err'): void {
  if (id !== undefined) writer.raw('{"id":').string(id).raw(`,"${key}":`);
  else writer.raw(`{"${key}":`);
}

function writeLabels({ labels, scores }: FixedParts, rows: Rows): void {
  if (!labels || scores < 0) return;
  const width = labels.length;
  const dims = rows.dims[scores] as readonly number[];
  const first = rows.isWhole ? 0 : rows.first;
  const end =
    first + (rows.isWhole ? scoredRows(dims, width) : elementCount(dims) === width ? rows.count : 0);
  if (end === first) return;
  const data = rows.tensors[scores] as Float32Array | Float64Array;
  for (let row = first; row < end; row++) if (bestOf(data, row, width) < 0) return;
  writer.raw(',"parameters":{"label":[');
  for (let row = first; row < end; row++) {
    if (row > first) writer.raw(',');
    writer.raw(labels[bestOf(data, row, width) - row * width] as string);
  }
  writer.raw('],"score":[');
  for (let row = first; row < end; row++) {
    if (row > first) writer.raw(',');
    const score = data[bestOf(data, row, width)] as number;
    if (data instanceof Float32Array) writer.float32(score);
    else writer.number(score);
  }
  writer.raw(']}');
}

/** How many rows of a whole output have one score for each label: those of its first dimension, or it is one itself; else 0. */
function scoredRows(dims: readonly number[], labels: number): number {
  if (dims.length === 1) return dims[0] === labels ? 1 : 0;
  return elementCount(dims.slice(1)) === labels ? (dims[0] ?? 0) : 0;
}

/** Where in the tensor the largest score of a row of `width` is; -1 where there is none: all are NaN. */
function bestOf(data: Float32Array | Float64Array, row: number, width: number): number {
  let best = -1;
  let largest = -Infinity;
  for (let index = row * width; index < (row + 1) * width; index++)
    if ((data[index] as number) > largest) {
      best = index;
      largest = data[index] as number;
    }
  return best;
}
