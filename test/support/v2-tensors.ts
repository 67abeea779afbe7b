import { InferenceSession, Tensor } from 'onnxruntime-node';

/** A tensor as V2 JSON has it, its elements flat. */
export interface V2Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | boolean | string)[];
}

const TYPES: Readonly<Record<string, Tensor.Type>> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  INT8: 'int8',
  INT32: 'int32',
  INT64: 'int64',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
};

/** Runs a model on one request, in this process: no batching, no queue. */
export async function runAlone(session: InferenceSession, inputs: readonly V2Tensor[]): Promise<V2Tensor[]> {
  const outputs = await session.run(Object.fromEntries(inputs.map((input) => [input.name, toOrt(input)])));
  return session.outputNames.map((name) => fromOrt(name, outputs[name] as Tensor));
}

/** The tensors of several requests as one: their rows one after the other. */
export function inCompany(requests: readonly (readonly V2Tensor[])[]): V2Tensor[] {
  const [first = []] = requests;
  return first.map((input, index) => {
    const all = requests.map((inputs) => inputs[index] as V2Tensor);
    const rows = all.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
    return { ...input, shape: [rows, ...input.shape.slice(1)], data: all.flatMap(({ data }) => data) };
  });
}

/** Rows `from` up to `to` of a tensor. */
export function rowsOf(tensor: V2Tensor, from: number, to: number): V2Tensor {
  const [rows = 0, ...dims] = tensor.shape;
  const width = rows > 0 ? tensor.data.length / rows : 0;
  return { ...tensor, shape: [to - from, ...dims], data: tensor.data.slice(from * width, to * width) };
}

/** The same names, datatypes and shapes, and elements that are the same up to `tolerance`, absolute or relative. */
export function areAlike(some: readonly V2Tensor[], others: readonly V2Tensor[], tolerance: number): boolean {
  const frames = [some, others].map((all) =>
    JSON.stringify(all.map(({ name, datatype, shape }) => [name, datatype, shape])),
  );
  return frames[0] === frames[1] && maxDifference(some, others) <= tolerance;
}

/** The largest difference of elements, absolute or relative, whichever is less; ∞ where they differ and are no numbers. */
export function maxDifference(some: readonly V2Tensor[], others: readonly V2Tensor[]): number {
  return some.reduce((most, { data }, index) => {
    const other = others[index]?.data ?? [];
    return data.reduce((max: number, one, at) => Math.max(max, difference(one, other[at])), most);
  }, 0);
}

function difference(one: unknown, other: unknown): number {
  if (Object.is(one, other)) return 0;
  if (typeof one !== 'number' || typeof other !== 'number' || !Number.isFinite(one - other)) return Infinity;
  return Math.abs(one - other) / Math.max(1, Math.abs(one), Math.abs(other));
}

function toOrt({ datatype, shape, data }: V2Tensor): Tensor {
  const type = TYPES[datatype];
  if (!type) throw new Error(`${datatype} is not supported by these tests`);
  const elements = datatype === 'INT64' ? data.map((one) => BigInt(one)) : data;
  return new Tensor(type as 'float32', elements as number[], shape);
}

function fromOrt(name: string, { type, dims, data }: Tensor): V2Tensor {
  const datatype = Object.keys(TYPES).find((key) => TYPES[key] === type) ?? type;
  const elements = Array.from(data as ArrayLike<unknown>, (one) => {
    if (typeof one === 'bigint') return Number(one);
    return datatype === 'BOOL' ? Boolean(one) : one;
  });
  return { name, datatype, shape: dims, data: elements as V2Tensor['data'] };
}
