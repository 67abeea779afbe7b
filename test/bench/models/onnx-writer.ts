/**
 * Writes ONNX files: just enough of protobuf (https://protobuf.dev/programming-guides/encoding) for just enough of
 * onnx.proto. A message is an array of encoded fields.
 */

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const IR_VERSION = 8;
const OPSET_VERSION = 17;
const FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;
const EXTERNAL = 1;

/** Constant data of a model. */
export interface Weights {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
  /** The file that holds the data instead of the model, relative to it. */
  readonly location?: string;
}

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

export interface Graph {
  /** Dimensions without the batch dimension, which is left open. */
  readonly input: { readonly name: string; readonly dims: readonly number[] };
  readonly output: { readonly name: string; readonly dims: readonly number[] };
  readonly nodes: readonly Node[];
  readonly weights: readonly Weights[];
}

/** A model whose tensors are 32-bit floats. */
export function writeOnnx({ input, output, nodes, weights }: Graph): Buffer {
  const graph = [
    ...nodes.map((node) => bytes(1, writeNode(node))),
    text(2, 'graph'),
    ...weights.map((tensor) => bytes(5, writeWeights(tensor))),
    bytes(11, writeValueInfo(input)),
    bytes(12, writeValueInfo(output)),
  ];
  const opset = Buffer.concat([text(1, ''), integer(2, OPSET_VERSION)]);
  return Buffer.concat([integer(1, IR_VERSION), bytes(7, Buffer.concat(graph)), bytes(8, opset)]);
}

function writeNode({ op, inputs, output, attributes = {} }: Node): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    text(2, output),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => bytes(5, writeAttribute(name, value))),
  ]);
}

function writeAttribute(name: string, value: number | readonly number[]): Buffer {
  const fields =
    typeof value === 'number'
      ? [integer(3, value), integer(20, ATTRIBUTE_INT)]
      : [...value.map((one) => integer(8, one)), integer(20, ATTRIBUTE_INTS)];
  return Buffer.concat([text(1, name), ...fields]);
}

function writeWeights({ name, dims, data, location }: Weights): Buffer {
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const content =
    location === undefined
      ? [bytes(9, raw)]
      : [bytes(13, Buffer.concat([text(1, 'location'), text(2, location)])), integer(14, EXTERNAL)];
  return Buffer.concat([...dims.map((dim) => integer(1, dim)), integer(2, FLOAT), text(8, name), ...content]);
}

function writeValueInfo({ name, dims }: Graph['input']): Buffer {
  const shape = [text(2, 'batch'), ...dims.map((dim) => integer(1, dim))].map((dim) => bytes(1, dim));
  const tensor = Buffer.concat([integer(1, FLOAT), bytes(2, Buffer.concat(shape))]);
  return Buffer.concat([text(1, name), bytes(2, bytes(1, tensor))]);
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint((field << 3) | VARINT), varint(value)]);
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value));
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | LENGTH_DELIMITED), varint(value.length), value]);
}

/** Seven bits a byte, least significant first. */
function varint(value: number): Buffer {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...out, rest]);
    out.push((rest % 128) | 128);
  }
}
