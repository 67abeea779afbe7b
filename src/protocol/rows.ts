import { InferenceError, invalidRequest } from '../inference/inference.errors.js';
import { readBinaryTensor } from './binary-tensors.js';
import { exactInput } from './exact-input.js';
import { InferenceRequest, NamedTensors, RequestTensor } from './inference-request.js';
import { elementCount, is64Bit, isDatatype, isFixed, TensorData, TensorSpec } from './tensor.js';
import { readTensor } from './tensor.reader.js';

/** What a model takes and gives. */
export interface ModelSignature {
  readonly name: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** True where the first dimension of every input and output is open: shorthand leaves it out. */
  readonly hasOpenRows: boolean;
  /**
   * True where the first dimension of every input is open, so that it may be the batch dimension. Whether requests can share a
   * run is another question: names and shapes do not answer it.
   */
  readonly mayBatch: boolean;
}

/**
 * Rows of a model's inputs, or of its outputs: some of those that lie one after the other in tensors, of which there is one
 * for each input (output), in the model's order.
 */
export interface Rows {
  /** They may hold rows of others before and after these. */
  readonly tensors: readonly TensorData[];
  /** For each tensor the dimensions of one row: without the first, which counts the rows. */
  readonly dims: readonly (readonly number[])[];
  /** Which of the tensors' rows is the first of these. */
  readonly first: number;
  readonly count: number;
  /**
   * True for whole tensors, whose first dimension does not count rows: `dims` has all their dimensions then, and `count` is 1.
   * They never share a run. Default: true for models whose inputs do not leave their first dimension open.
   */
  readonly isWhole?: boolean;
}

/**
 * Holds a request against a model and makes rows of it.
 *
 * @throws InferenceError UNKNOWN_INPUT, MISSING_INPUT, SHAPE_MISMATCH, DATATYPE_MISMATCH or INVALID_REQUEST;
 *   the message says what the model expects
 */
export function rowsOf(request: InferenceRequest, model: ModelSignature): Rows {
  const unknownOutput = request.outputs?.find(
    (name) => !model.outputs.some((output) => output.name === name),
  );
  if (unknownOutput !== undefined)
    throw invalidRequest(
      `model '${model.name}' has no output '${unknownOutput}'; its outputs are ${describeAll(model.outputs)}`,
    );
  try {
    return inputRows(request.input, model);
  } catch (error) {
    // Integers that JSON.parse has rounded are not looked for before: most requests have none.
    const exact = model.inputs.some(({ datatype }) => is64Bit(datatype)) ? exactInput(request) : undefined;
    if (!exact) throw error;
    return inputRows(exact, model);
  }
}

function inputRows(input: InferenceRequest['input'], model: ModelSignature): Rows {
  return input.form === 'row' ? shorthandRow(input.data, model) : tensorRows(input, model);
}

function shorthandRow(data: unknown, model: ModelSignature): Rows {
  const [spec, ...others] = model.inputs;
  if (!spec || others.length > 0)
    throw invalidRequest(
      `\`data\` serves models with one input; send \`inputs\` for ${describeAll(model.inputs)}`,
    );
  const usual = flatDims(data, model);
  if (usual) return oneRow(spec, usual, data, model);
  const dims = shorthandDims(data, model.hasOpenRows ? spec.shape.slice(1) : spec.shape);
  if (!dims)
    throw new InferenceError(
      'SHAPE_MISMATCH',
      `\`data\` has shape [${nestedDims(data, spec.shape.length).join(', ')}], which is no row; the model expects ${describe(spec)}${model.hasOpenRows ? ', sent without the first (batch) dimension' : ''}`,
    );
  return oneRow(spec, [dims], data, model);
}

function oneRow(
  { name, datatype }: TensorSpec,
  dims: Rows['dims'],
  data: unknown,
  { hasOpenRows, mayBatch }: ModelSignature,
): Rows {
  const tensors = [readTensor(name, datatype, dims[0] ?? [], data)];
  return hasOpenRows ? { tensors, dims, first: 0, count: 1 } : rowsIn(tensors, dims, mayBatch);
}

/** @param dims of whole tensors, whose first dimension counts rows where it `mayBatch` and is the same in all */
function rowsIn(tensors: Rows['tensors'], dims: Rows['dims'], mayBatch: boolean): Rows {
  const count = dims[0]?.[0] ?? 1;
  if (!mayBatch || dims.some((ofTensor) => ofTensor[0] !== count))
    return { tensors, dims, first: 0, count: 1, isWhole: true };
  return { tensors, dims: dims.map((ofTensor) => ofTensor.slice(1)), first: 0, count };
}

/** The dimensions of a row, for models whose only input leaves none open but the batch dimension. */
const fixedRowDims = new WeakMap<ModelSignature, Rows['dims'] | undefined>();

/** The usual case, which needs no look at the shape: the right number of elements, flat. Rows share these dimensions. */
function flatDims(data: unknown, model: ModelSignature): Rows['dims'] | undefined {
  if (!fixedRowDims.has(model)) {
    const shape = model.inputs[0]?.shape.slice(model.hasOpenRows ? 1 : 0) ?? [];
    fixedRowDims.set(model, isFixed(shape) ? [shape] : undefined);
  }
  const dims = fixedRowDims.get(model);
  const isFlat = Array.isArray(data) && !Array.isArray(data[0]) && data.length > 0;
  return dims && isFlat && data.length === elementCount(dims[0] ?? []) ? dims : undefined;
}

/** The dimensions that shorthand data has for a row of `shape`, flat or nested; undefined where it fits neither. */
function shorthandDims(data: unknown, shape: TensorSpec['shape']): number[] | undefined {
  const nested = nestedDims(data, shape.length);
  if (nested.includes(0)) return undefined;
  if (nested.length === shape.length && fits(nested, shape)) return nested;
  const fixed = shape.filter((dim) => typeof dim === 'number');
  const open = shape.length - fixed.length;
  if (nested.length !== 1 || open > 1) return undefined;
  const missing = (nested[0] as number) / elementCount(fixed);
  if (open === 0 ? missing !== 1 : !Number.isInteger(missing)) return undefined;
  return shape.map((dim) => (typeof dim === 'number' ? dim : missing));
}

function nestedDims(data: unknown, maxRank: number): number[] {
  const dims: number[] = [];
  for (let level = data; Array.isArray(level) && dims.length <= maxRank; level = level[0] as unknown)
    dims.push(level.length);
  return dims;
}

function tensorRows(input: NamedTensors, model: ModelSignature): Rows {
  const stranger = input.tensors.find(({ name }) => !model.inputs.some((spec) => spec.name === name));
  if (stranger)
    throw new InferenceError(
      'UNKNOWN_INPUT',
      `model '${model.name}' has no input '${stranger.name}'; its inputs are ${describeAll(model.inputs)}`,
    );
  const sent = model.inputs.map((spec) => checkedTensor(input, spec, model));
  return rowsIn(
    sent.map(({ tensor, spec }) => read(tensor, spec)),
    sent.map(({ tensor }) => tensor.shape),
    model.mayBatch,
  );
}

function checkedTensor(
  { tensors }: NamedTensors,
  spec: TensorSpec,
  model: ModelSignature,
): { tensor: RequestTensor; spec: TensorSpec } {
  const tensor = tensors.find(({ name }) => name === spec.name);
  if (!tensor)
    throw new InferenceError(
      'MISSING_INPUT',
      `input '${spec.name}' is missing; model '${model.name}' expects ${describeAll(model.inputs)}`,
    );
  if (tensor.datatype !== spec.datatype) {
    const sent = isDatatype(tensor.datatype) ? tensor.datatype : 'of no datatype that is served';
    throw new InferenceError(
      'DATATYPE_MISMATCH',
      `input '${spec.name}' is ${sent}; the model expects ${describe(spec)}`,
    );
  }
  // An empty tensor could claim any number of rows.
  if (tensor.shape.includes(0))
    throw new InferenceError(
      'SHAPE_MISMATCH',
      `input '${spec.name}' has a dimension of 0; send at least one element`,
    );
  if (!fits(tensor.shape, spec.shape))
    throw new InferenceError(
      'SHAPE_MISMATCH',
      `input '${spec.name}' has shape [${tensor.shape.join(', ')}]; the model expects ${describe(spec)}`,
    );
  return { tensor, spec };
}

function read({ shape, data }: RequestTensor, { name, datatype }: TensorSpec): TensorData {
  return Buffer.isBuffer(data)
    ? readBinaryTensor(name, datatype, shape, data)
    : readTensor(name, datatype, shape, data);
}

function fits(dims: readonly number[], shape: TensorSpec['shape']): boolean {
  return (
    dims.length === shape.length && shape.every((dim, axis) => typeof dim === 'string' || dim === dims[axis])
  );
}

/** `image FP32[batch, 64]` */
export function describe(spec: TensorSpec): string {
  return `${spec.name} ${spec.datatype}[${spec.shape.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`;
}

function describeAll(specs: readonly TensorSpec[]): string {
  return specs.map(describe).join(', ');
}
