import { ModelConfig } from '../models/model-config.js';
import { Rows } from '../protocol/rows.js';
import { elementCount, TensorData } from '../protocol/tensor.js';

type PerElement = number | readonly number[] | undefined;

/** `(x · scale − mean) / std` over every floating-point tensor of the rows, in place. */
export function transform(
  { tensors, dims, first, count }: Rows,
  { scale, mean, std }: ModelConfig['preprocess'],
): void {
  if (scale === undefined && mean === undefined && std === undefined) return;
  for (const [index, tensor] of tensors.entries()) {
    if (!isFloat(tensor)) continue;
    const width = elementCount(dims[index] as readonly number[]);
    for (let row = first; row < first + count; row++)
      for (let i = 0, place = row * width; i < width; i++, place++)
        tensor[place] = ((tensor[place] as number) * at(scale, i, 1) - at(mean, i, 0)) / at(std, i, 1);
  }
}

function isFloat(tensor: TensorData): tensor is Float32Array | Float64Array {
  return tensor instanceof Float32Array || tensor instanceof Float64Array;
}

/** A list repeats along the last dimension. */
function at(values: PerElement, index: number, fallback: number): number {
  if (values === undefined) return fallback;
  return typeof values === 'number' ? values : (values[index % values.length] as number);
}
