import { InferenceError } from '../inference/inference.errors.js';
import { ModelConfig } from '../models/model-config.js';
import { Rows } from '../protocol/rows.js';
import { elementCount, TensorData } from '../protocol/tensor.js';

type PerElement = number | readonly number[] | undefined;

/**
 * `(x · scale − mean) / std` over every floating-point tensor of the rows, in place.
 *
 * @throws InferenceError SHAPE_MISMATCH where a list does not fit the dimensions that the model left open
 */
export function transform(
  { tensors, dims, first, count, isWhole }: Rows,
  { scale, mean, std }: ModelConfig['preprocess'],
): void {
  if (scale === undefined && mean === undefined && std === undefined) return;
  for (const [index, tensor] of tensors.entries()) {
    if (!isFloat(tensor)) continue;
    const rowDims = dims[index] as readonly number[];
    const rank = isWhole ? rowDims.length : rowDims.length + 1;
    checkList(scale, rowDims, rank);
    checkList(mean, rowDims, rank);
    checkList(std, rowDims, rank);
    const width = elementCount(rowDims);
    for (let row = first; row < first + count; row++)
      for (let i = 0, place = row * width; i < width; i++, place++)
        tensor[place] = ((tensor[place] as number) * at(scale, i, 1) - at(mean, i, 0)) / at(std, i, 1);
  }
}

/** The same rule as `checkConfig` has at start, for the dimensions that the model leaves open. */
function checkList(values: PerElement, dims: readonly number[], rank: number): void {
  if (typeof values !== 'object') return;
  const { length } = values;
  const last = dims.at(-1) ?? 1;
  if (length === 1 || dims.length < 2 || last === length) return;
  const isMeantForOthers = rank >= 4 || (rank === 3 && dims.includes(length));
  if (last % length !== 0 || isMeantForOthers)
    throw new InferenceError(
      'SHAPE_MISMATCH',
      `a row has shape [${dims.join(', ')}], and the model's preprocessing has ${length} numbers for its last dimension; send rows whose last dimension is ${length}`,
    );
}

function isFloat(tensor: TensorData): tensor is Float32Array | Float64Array {
  return tensor instanceof Float32Array || tensor instanceof Float64Array;
}

/** A list repeats along the last dimension. */
function at(values: PerElement, index: number, fallback: number): number {
  if (values === undefined) return fallback;
  return typeof values === 'number' ? values : (values[index % values.length] as number);
}
