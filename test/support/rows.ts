import { Rows } from '../../src/protocol/rows.js';
import { TensorData } from '../../src/protocol/tensor.js';

/** One row, of a flat tensor for each input or output. */
export function oneRow(...tensors: TensorData[]): Rows {
  return rowsIn(1, ...tensors);
}

/** All rows that flat tensors hold. */
export function rowsIn(count: number, ...tensors: TensorData[]): Rows {
  return { tensors, dims: tensors.map(({ length }) => [length / count]), first: 0, count };
}
