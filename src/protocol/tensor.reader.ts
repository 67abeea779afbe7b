import { InferenceError } from '../inference/inference.errors.js';
import {
  allocate,
  CODECS,
  Datatype,
  elementCount,
  FLOAT32_MAX,
  is64Bit,
  isDecimal,
  TensorData,
} from './tensor.js';

/** Elements of a pool; up to an eighth of it is handed out as a piece. */
const POOL_LENGTH = 16_384;
let pool = new Float32Array(0);
let poolUsed = 0;

/**
 * A piece of a larger array, as Node does with small Buffers: an array of its own takes two allocations outside of
 * V8's heap, and each batch of messages would bring the next full garbage collection nearer.
 */
export function pooledFloats(length: number): Float32Array {
  if (length > POOL_LENGTH / 8) return new Float32Array(length);
  if (poolUsed + length > pool.length) {
    pool = new Float32Array(POOL_LENGTH);
    poolUsed = 0;
  }
  const start = poolUsed;
  poolUsed += length;
  return new Float32Array(pool.buffer, start * Float32Array.BYTES_PER_ELEMENT, length);
}

/**
 * Reads JSON `data`, flat in row-major order or nested as `dims` says, into a tensor.
 *
 * @throws InferenceError SHAPE_MISMATCH or DATATYPE_MISMATCH, with the input's name and what was expected.
 */
export function readTensor(
  input: string,
  datatype: Datatype,
  dims: readonly number[],
  data: unknown,
): TensorData {
  if (!Array.isArray(data))
    throw new InferenceError('SHAPE_MISMATCH', `input '${input}': data must be an array`);
  const codec = CODECS[datatype];
  const length = elementCount(dims);
  const isNested = Array.isArray(data[0]);
  // Checked before anything is allocated: the shape is the producer's word.
  if (!isNested && data.length !== length)
    throw new InferenceError(
      'SHAPE_MISMATCH',
      `input '${input}': shape [${dims.join(', ')}] needs ${length} elements, data has ${data.length}`,
    );
  if (isNested) checkNesting(input, dims, data, 0);
  const tensor = datatype === 'FP32' ? pooledFloats(length) : allocate(datatype, length);
  if (!isNested && tensor instanceof Float32Array && fillFloats(tensor, data)) return tensor;
  let at = 0;
  const fill = (values: readonly unknown[]): void => {
    for (const value of values) {
      if (isNested && Array.isArray(value)) fill(value);
      else if (codec.write(tensor, at, value)) at++;
      else throw datatypeMismatch(input, at, value, datatype);
    }
  };
  fill(data);
  return tensor;
}

/** The usual case, in a loop of its own. @returns false when something is no float: the other way finds out what */
function fillFloats(tensor: Float32Array, data: readonly unknown[]): boolean {
  for (let index = 0; index < data.length; index++) {
    const value = data[index];
    if (typeof value !== 'number' || !(Math.abs(value) <= FLOAT32_MAX)) return false;
    tensor[index] = value;
  }
  return true;
}

/** Recursion ends at the rank of `dims`, however deep the data is nested. */
function checkNesting(input: string, dims: readonly number[], value: unknown, depth: number): void {
  const isLeaf = depth === dims.length;
  if (isLeaf ? !Array.isArray(value) : Array.isArray(value) && value.length === dims[depth]) {
    if (!isLeaf) for (const inner of value as unknown[]) checkNesting(input, dims, inner, depth + 1);
    return;
  }
  throw new InferenceError(
    'SHAPE_MISMATCH',
    `input '${input}': nested data does not have the shape [${dims.join(', ')}]`,
  );
}

/** @param at which element of the input has this value */
export function datatypeMismatch(
  input: string,
  at: number,
  value: unknown,
  datatype: Datatype,
): InferenceError {
  return new InferenceError(
    'DATATYPE_MISMATCH',
    `input '${input}': element ${at} is ${kindOf(value, datatype)}, the model expects ${CODECS[datatype].expects}`,
  );
}

function kindOf(value: unknown, datatype: Datatype): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number' || (is64Bit(datatype) && isDecimal(value)))
    return 'a number outside that datatype';
  if (typeof value === 'string' && datatype === 'BYTES')
    return `a string with ${value.includes('\0') ? 'NUL (U+0000)' : 'a lone surrogate'}`;
  return `of type ${typeof value}`;
}
