/**
 * Writes ONNX files: just enough of protobuf (https://protobuf.dev/programming-guides/encoding) for just enough of
 * onnx.proto. A message is an array of encoded fields.
 */

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const IR_VERSION = 8;
const OPSET_VERSION = 17;
const ELEMENT_TYPES = { FP32: 1, UINT8: 2, INT8: 3, INT64: 7, BOOL: 9 };
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;
const EXTERNAL = 1;

export type OnnxDatatype = keyof typeof ELEMENT_TYPES;

/** Constant data of a model. */
export interface Weights {
  readonly name: string;
  /** Default: FP32. */
  readonly datatype?: OnnxDatatype;
  readonly dims: readonly number[];
  readonly data: Float32Array | Uint8Array | Int8Array | BigInt64Array;
  /** The file that holds the data instead of the model, relative to it. */
  readonly location?: string;
}

export interface Node {
  readonly op: string;
  /** An input that is left out is ''. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

/** An input or output of a model. */
export interface Port {
  readonly name: string;
  /** Default: FP32. */
  readonly datatype?: OnnxDatatype;
  /** A text is the name of an open dimension. */
  readonly shape: readonly (number | string)[];
}

export interface Graph {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodes: readonly Node[];
  readonly weights: readonly Weights[];
}

export function writeOnnx({ inputs, outputs, nodes, weights }: Graph): Buffer {
  const graph = [
    ...nodes.map((node) => bytes(1, writeNode(node))),
    text(2, 'graph'),
    ...weights.map((tensor) => bytes(5, writeWeights(tensor))),
    ...inputs.map((port) => bytes(11, writePort(port))),
    ...outputs.map((port) => bytes(12, writePort(port))),
  ];
  const opset = Buffer.concat([text(1, ''), integer(2, OPSET_VERSION)]);
  return Buffer.concat([integer(1, IR_VERSION), bytes(7, Buffer.concat(graph)), bytes(8, opset)]);
}

function writeNode({ op, inputs, outputs, attributes = {} }: Node): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
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

function writeWeights({ name, datatype = 'FP32', dims, data, location }: Weights): Buffer {
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const content =
    location === undefined
      ? [bytes(9, raw)]
      : [bytes(13, Buffer.concat([text(1, 'location'), text(2, location)])), integer(14, EXTERNAL)];
  const type = integer(2, ELEMENT_TYPES[datatype]);
  return Buffer.concat([...dims.map((dim) => integer(1, dim)), type, text(8, name), ...content]);
}

function writePort({ name, datatype = 'FP32', shape }: Port): Buffer {
  const dims = shape.map((dim) => bytes(1, typeof dim === 'string' ? text(2, dim) : integer(1, dim)));
  const tensor = Buffer.concat([integer(1, ELEMENT_TYPES[datatype]), bytes(2, Buffer.concat(dims))]);
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

/** Seven bits a byte, least significant first; of a negative number its 64 bits. */
function varint(value: number): Buffer {
  const out: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...out, Number(rest)]);
    out.push(Number(rest & 127n) | 128);
  }
}
