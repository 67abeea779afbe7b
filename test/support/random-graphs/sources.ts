import { Dim, GraphBuilder, Value } from './graph-builder.js';
import { OnnxDatatype } from '../onnx-writer.js';

/** An input of a random graph. */
export interface RandomInput {
  readonly name: string;
  readonly datatype: OnnxDatatype;
  readonly shape: readonly Dim[];
  /** Whole numbers from 0 up to this; undefined for any numbers. */
  readonly below?: number;
}

/** The inputs of a graph, and the value that is made of them. */
export interface Source {
  readonly inputs: readonly RandomInput[];
  readonly value: Value;
  readonly describe: string;
  /** False where an input has rows that are not the batch's. */
  readonly isRowWise: boolean;
}

type MakeSource = (builder: GraphBuilder, rows: string) => Source;

const WORDS = 12;

/** Draws inputs, of which plain rows are the most usual. @param rows the name of the first dimension */
export function randomSource(builder: GraphBuilder, rows: string): Source {
  return builder.pick<MakeSource>([plain, plain, plain, plain, threeDimensions, threeDimensions, two, ragged, ids])(
    builder,
    rows,
  );
} // prettier-ignore

function floats(name: string, ...shape: Dim[]): RandomInput & Value {
  return { name, datatype: 'FP32', shape, dims: shape, isExact: true };
}

function plain(builder: GraphBuilder, rows: string): Source {
  const x = floats('x', rows, builder.int(1, 5));
  return { inputs: [x], value: x, describe: '', isRowWise: true };
}

function threeDimensions(builder: GraphBuilder, rows: string): Source {
  const x = floats('x', rows, builder.pick([1, 2, 3, 'length']), builder.int(1, 4));
  return { inputs: [x], value: x, describe: '', isRowWise: true };
}

/** Side by side. Names of dimensions do not always say that both have the same rows. */
function two(builder: GraphBuilder, rows: string): Source {
  const x = floats('x', rows, builder.int(1, 4));
  const z = floats('z', builder.chance(0.7) ? rows : `${rows}_1`, builder.int(1, 4));
  const name = builder.node('Concat', ['x', 'z'], { axis: 1 });
  const width = Number(x.shape[1]) + Number(z.shape[1]);
  return {
    inputs: [x, z],
    value: { ...x, name, dims: [rows, width] },
    describe: 'side by side',
    isRowWise: true,
  };
}

/** The second input has rows of its own, as the edges of a graph or the words of a document have. */
function ragged(builder: GraphBuilder, rows: string): Source {
  const width = builder.int(1, 4);
  const [x, z] = [floats('x', rows, width), floats('z', 'others', width)];
  const isSummed = builder.chance(0.5);
  const sum = isSummed
    ? builder.node('ReduceSum', ['z', builder.integers(0)], { keepdims: 0 })
    : attended(builder);
  const name = builder.node('Add', ['x', sum]);
  const describe = isSummed ? 'plus the sum of the others' : 'attending to the others';
  return { inputs: [x, z], value: { ...x, name, isExact: false }, describe, isRowWise: false };
}

function attended(builder: GraphBuilder): string {
  const scores = builder.node('MatMul', ['x', builder.node('Transpose', ['z'])]);
  return builder.node('MatMul', [builder.node('Softmax', [scores], { axis: -1 }), 'z']);
}

function ids(builder: GraphBuilder, rows: string): Source {
  const length = builder.pick([1, 3, 'length']);
  const width = builder.int(1, 4);
  const table = builder.floats([WORDS, width], builder.pick([1, 10]));
  const name = builder.node('Gather', [table, 'ids'], { axis: 0 });
  return {
    inputs: [{ name: 'ids', datatype: 'INT64', shape: [rows, length], below: WORDS }],
    value: { name, datatype: 'FP32', dims: [rows, length, width], isExact: true },
    describe: 'looked up',
    isRowWise: true,
  };
}
