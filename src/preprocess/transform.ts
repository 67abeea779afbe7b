import { ModelConfig } from '../models/model-config.js';
import { Row } from '../protocol/rows.js';
import { TensorData } from '../protocol/tensor.js';

type PerElement = number | readonly number[] | undefined;

/** `(x · scale − mean) / std` over every floating-point tensor of a row, in place. */
export function transform(row: Row, { scale, mean, std }: ModelConfig['preprocess']): void {
  if (scale === undefined && mean === undefined && std === undefined) return;
  for (const tensor of row.tensors) {
    if (!isFloat(tensor)) continue;
    for (let i = 0; i < tensor.length; i++)
      tensor[i] = ((tensor[i] as number) * at(scale, i, 1) - at(mean, i, 0)) / at(std, i, 1);
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
