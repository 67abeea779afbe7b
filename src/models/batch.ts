import { ModelSignature, Row, RowOutput } from '../protocol/rows.js';
import { allocate, copyInto, elementCount, slice, TensorData, TensorSpec } from '../protocol/tensor.js';
import { Batch, Session } from './session.js';

/**
 * Runs the rows as one batch. All must have the same dimensions; a model without a batch dimension takes one.
 *
 * @returns one output a row, in the order of the rows
 * @param deadline the earliest of the rows'
 * @throws BatchLateError, or Error with ONNX Runtime's reason; then no row has an output. The rows stay as they are.
 */
export async function runRows(
  session: Session,
  rows: readonly Row[],
  deadline?: number,
): Promise<RowOutput[]> {
  return split(await session.run(join(rows, session.signature), deadline), rows.length, session.signature);
}

/** Copies also a row that is alone: what a session is given may be gone afterwards, and a row may run again. */
function join(rows: readonly Row[], { inputs, isBatched }: ModelSignature): Batch {
  const { dims } = rows[0] as Row;
  const tensors = inputs.map(({ name, datatype }, input) => {
    const width = elementCount(dims[input] ?? []);
    const data = allocate(datatype, width * rows.length);
    for (let row = 0; row < rows.length; row++) {
      const own = rows[row]?.tensors[input] as TensorData;
      if (own.length !== width)
        throw new Error(`input '${name}' of a row has ${own.length} elements, its dimensions say ${width}`);
      copyInto(data, own, row * width);
    }
    return data;
  });
  return { tensors, dims: isBatched ? dims.map((rowDims) => [rows.length, ...rowDims]) : dims };
}

function split(batch: Batch, count: number, { outputs, isBatched }: ModelSignature): RowOutput[] {
  const dims = batch.dims.map((outputDims, output) => {
    if (!isBatched) return outputDims;
    if (outputDims[0] !== count)
      throw new Error(`output '${outputs[output]?.name}' has ${outputDims[0]} rows for a batch of ${count}`);
    return outputDims.slice(1);
  });
  if (count === 1) return [{ tensors: batch.tensors, dims }];
  return Array.from({ length: count }, (_, row) => ({
    dims,
    tensors: batch.tensors.map((data) => {
      const width = data.length / count;
      return slice(data, row * width, (row + 1) * width);
    }),
  }));
}

/** A row of zeros; undefined where the model leaves dimensions open besides the batch: any guess may be wrong. */
export function zeroRow({ inputs, isBatched }: ModelSignature): Row | undefined {
  const dims = inputs.map(({ shape }) => (isBatched ? shape.slice(1) : shape));
  const isFixed = (shape: TensorSpec['shape']): shape is number[] =>
    shape.every((dim) => typeof dim === 'number');
  if (!dims.every(isFixed)) return undefined;
  return {
    dims,
    tensors: inputs.map(({ datatype }, input) => allocate(datatype, elementCount(dims[input] ?? []))),
  };
}
