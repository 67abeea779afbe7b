import { ModelSignature, Rows } from '../protocol/rows.js';
import { allocate, copyInto, elementCount, isFixed, TensorData, TensorSpec } from '../protocol/tensor.js';
import { Batch, Session } from './session.js';

/** The outputs of a run do not have one row for each row of its inputs, so that they cannot be told apart. */
export class NotRowsError extends Error {
  constructor(output: string, rows: number | undefined, count: number) {
    super(`output '${output}' has ${rows ?? 'no'} rows for a batch of ${count}`);
    this.name = 'NotRowsError';
  }
}

/**
 * Runs all rows of several requests as one batch.
 *
 * @returns the outputs of each, in their order, in the tensors of the batch
 * @param deadline the earliest of the requests'
 * @throws NotRowsError, BatchLateError, or Error with ONNX Runtime's reason, or when the rows differ in their dimensions; then
 *   none has outputs. The rows stay as they are.
 */
export async function runTogether(
  session: Session,
  parts: readonly Rows[],
  deadline?: number,
): Promise<Rows[]> {
  const { inputs, outputs } = session.signature;
  // Copied also where there is one part only: what a session is given may be gone afterwards, and rows may run again.
  const { tensors, dims, count } = joined(parts, inputs);
  const batchDims = dims.map((rowDims) => [count, ...rowDims]);
  return split(await session.run({ tensors, dims: batchDims }, deadline), parts, count, outputs);
}

/**
 * Runs one request by itself, whatever its first dimension is.
 *
 * @returns the whole outputs as the model gives them
 * @throws BatchLateError, or Error with ONNX Runtime's reason; the rows stay as they are
 */
export async function runAlone(session: Session, rows: Rows, deadline?: number): Promise<Rows> {
  const { inputs, mayBatch } = session.signature;
  const { tensors, dims, count } = joined([rows], inputs);
  const isWhole = rows.isWhole ?? !mayBatch;
  const wholeDims = isWhole ? dims : dims.map((rowDims) => [count, ...rowDims]);
  const outputs = await session.run({ tensors, dims: wholeDims }, deadline);
  return { ...outputs, first: 0, count: 1, isWhole: true };
}

/** As empty as that, in shares of a batch, requests leave the batches that they go into whole. */
const MOST_LEFT = 0.25;

/**
 * The rows of a request as they go into batches of up to `maxSize` rows: together, or, where requests of so many rows would
 * leave too much of each batch empty, in quarters of a batch, of which those of others take up what is left. Rows of outputs
 * that may be wider in one batch than in another stay together as far as a batch takes them.
 */
export function partsOf(rows: Rows, maxSize: number, { outputs }: Pick<ModelSignature, 'outputs'>): Rows[] {
  const { count } = rows;
  const left = count <= maxSize ? maxSize % count : count % maxSize && maxSize;
  const areAlike = outputs.every(({ shape }) => isFixed(shape.slice(1)));
  return cut(rows, areAlike && left > MOST_LEFT * maxSize ? Math.ceil(maxSize / 4) : maxSize);
}

/** Parts of no more than `maxCount` rows. */
export function cut(rows: Rows, maxCount: number): Rows[] {
  const parts: Rows[] = [];
  for (let done = 0; done < rows.count; done += maxCount)
    parts.push({ ...rows, first: rows.first + done, count: Math.min(maxCount, rows.count - done) });
  return parts;
}

/**
 * The rows of all parts, in memory of their own.
 *
 * @throws Error when they differ in their dimensions, or a tensor is not of those
 */
export function joined(parts: readonly Rows[], specs: readonly TensorSpec[]): Rows {
  const { dims, isWhole } = parts[0] as Rows;
  const count = countOf(parts);
  const tensors = specs.map(({ name, datatype }, index) => {
    const rowDims = dims[index] as readonly number[];
    const width = elementCount(rowDims);
    const target = allocate(datatype, width * count);
    let at = 0;
    for (const part of parts) {
      const partDims = part.dims[index] as readonly number[];
      if (partDims !== rowDims && !areEqual(partDims, rowDims))
        throw new Error(
          `'${name}' has rows of [${rowDims.join(', ')}] and of [${partDims.join(', ')}], which cannot be put together`,
        );
      const data = part.tensors[index] as TensorData;
      const from = part.first * width;
      const to = from + part.count * width;
      if (to > data.length || data.length % width > 0)
        throw new Error(
          `'${name}' has ${data.length} elements; its dimensions say ${width} a row, for ${part.first + part.count} or more`,
        );
      copyInto(target, at, data, from, to);
      at += to - from;
    }
    return target;
  });
  return isWhole === undefined
    ? { tensors, dims, first: 0, count }
    : { tensors, dims, first: 0, count, isWhole };
}

function areEqual(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((dim, axis) => dim === others[axis]);
}

/** Rows of all parts together. */
export function countOf(parts: readonly Rows[]): number {
  let count = 0;
  for (const part of parts) count += part.count;
  return count;
}

function split(
  { tensors, dims }: Batch,
  parts: readonly Rows[],
  count: number,
  outputs: readonly TensorSpec[],
): Rows[] {
  const rowDims = dims.map((outputDims, output) => {
    if (outputDims[0] !== count) throw new NotRowsError(outputs[output]?.name ?? '', outputDims[0], count);
    return outputDims.slice(1);
  });
  let first = 0;
  return parts.map((part) => {
    const share = { tensors, dims: rowDims, first, count: part.count };
    first += part.count;
    return share;
  });
}
