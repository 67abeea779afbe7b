import { Dim, GraphBuilder, Step, Value, widthOf } from './graph-builder.js';

/** Steps over the first dimension: what comes out for a row depends on the rows beside it, or not so many rows come out. */
export const MIXING_STEPS: readonly Step[] = [
  { name: 'concat-row', apply: concatRow },
  {
    name: 'concat-self',
    apply: (builder, value) =>
      withRows(value, builder.node('Concat', [value.name, value.name], { axis: 0 }), '2n'),
  },
  {
    name: 'tile-rows',
    apply: (builder, value) => {
      const repeats = builder.integers(...value.dims.map((_, axis) => (axis === 0 ? 2 : 1)));
      return withRows(value, builder.node('Tile', [value.name, repeats]), '2n');
    },
  },
  { name: 'reduce-rows', apply: reduceRows },
  { name: 'excess', apply: excess },
  {
    name: 'softmax-rows',
    apply: (builder, value) => same(value, builder.node('Softmax', [value.name], { axis: 0 })),
  },
  {
    name: 'layer-norm-rows',
    apply: (builder, value) =>
      value.dims.length < 2 ? undefined : same(value, builder.node('LayerNormalization', [value.name, builder.float(1)], { axis: 0 })), // prettier-ignore
  },
  { name: 'gather-rows', apply: gatherRows },
  {
    name: 'compress-rows',
    apply: (builder, value) => {
      const condition = Uint8Array.from({ length: builder.int(1, 4) }, () => builder.int(0, 1));
      const rows = builder.constant('BOOL', [condition.length], condition);
      return withRows(value, builder.node('Compress', [value.name, rows], { axis: 0 }), 'some');
    },
  },
  { name: 'compress-positive', apply: compressPositive },
  {
    name: 'non-zero',
    apply: (builder, { name, dims }) => {
      const places = builder.node('NonZero', [builder.node('Relu', [name])]);
      const turned = builder.node('Transpose', [places], { perm: [1, 0] });
      return { name: turned, datatype: 'INT64', dims: ['some', dims.length], isExact: true };
    },
  },
  {
    name: 'dynamic-quantise',
    apply: (builder, value) => {
      const name = builder.node('DynamicQuantizeLinear', [value.name], {}, 3);
      const [quantised, scale, zero] = [0, 1, 2].map((output) => name.replace(/0$/, String(output)));
      return same(value, builder.node('DequantizeLinear', [quantised, scale, zero] as string[]));
    },
  },
  { name: 'lstm', apply: lstm },
  {
    name: 'cumsum-rows',
    apply: (builder, value) => {
      const axis = builder.constant('INT64', [], BigInt64Array.of(0n));
      const attributes = { reverse: builder.int(0, 1), exclusive: builder.int(0, 1) };
      return same(value, builder.node('CumSum', [value.name, axis], attributes));
    },
  },
  { name: 'top-rows', apply: topRows },
  {
    name: 'slice-rows',
    apply: (builder, value) => {
      const most = builder.int(1, 3);
      const [from, to] = [builder.integers(0), builder.integers(most)];
      return withRows(value, builder.node('Slice', [value.name, from, to]), 'first');
    },
  },
  {
    name: 'reverse-rows',
    apply: (builder, value) => {
      const ends = [-1, -1e9, 0, -1].map((number) => builder.integers(number));
      return same(value, builder.node('Slice', [value.name, ...ends]));
    },
  },
  { name: 'attention-rows', apply: attentionRows },
  {
    name: 'unique-rows',
    apply: (builder, value) => withRows(value, builder.node('Unique', [value.name], { axis: 0 }), 'some'),
  },
  { name: 'positions', apply: positions },
  {
    name: 'row-count',
    apply: (builder, value) => {
      const rows = builder.node('Cast', [rowsOf(builder, value)], { to: 1 });
      return same(value, builder.node('Mul', [value.name, rows]));
    },
  },
  {
    name: 'flatten',
    apply: (builder, value) => ({
      ...value,
      name: builder.node('Reshape', [value.name, builder.integers(-1)]),
      dims: ['elements'],
    }),
  },
  {
    name: 'transpose-rows',
    apply: (builder, { name, dims: [first, second, ...others], ...value }) =>
      first === undefined || second === undefined || others.length > 0
        ? undefined
        : { ...value, name: builder.node('Transpose', [name]), dims: [second, first] },
  },
];

/** A result with as many rows; its last bits may differ. */
function same(value: Value, name: string): Value {
  return { ...value, name, isExact: false };
}

function withRows(value: Value, name: string, rows: Dim): Value {
  return { ...same(value, name), dims: [rows, ...value.dims.slice(1)] };
}

function rowsOf(builder: GraphBuilder, { name }: Value): string {
  return builder.node('Shape', [name], { start: 0, end: 1 });
}

function concatRow(builder: GraphBuilder, value: Value): Value | undefined {
  const dims = value.dims.slice(1);
  if (!dims.every((dim): dim is number => typeof dim === 'number')) return undefined;
  const row = builder.floats([1, ...dims]);
  const both = builder.chance(0.5) ? [row, value.name] : [value.name, row];
  return withRows(value, builder.node('Concat', both, { axis: 0 }), 'n+1');
}

/** Over all rows, and mostly back to each of them. */
function reduceRows(builder: GraphBuilder, value: Value): Value {
  const op = builder.pick(['ReduceSum', 'ReduceMean', 'ReduceMax']);
  const keepdims = value.dims.length > 1 ? builder.int(0, 1) : 1;
  const reduced =
    op === 'ReduceSum'
      ? builder.node(op, [value.name, builder.integers(0)], { keepdims })
      : builder.node(op, [value.name], { axes: [0], keepdims });
  if (builder.chance(0.7)) return spread(builder, value, reduced);
  return {
    ...same(value, reduced),
    dims: keepdims === 1 ? [1, ...value.dims.slice(1)] : value.dims.slice(1),
  };
}

function spread(builder: GraphBuilder, value: Value, reduced: string): Value {
  return same(value, builder.node(builder.pick(['Sub', 'Add']), [value.name, reduced]));
}

/** The sum over all rows of what is above a threshold: hidden while all values are small. */
function excess(builder: GraphBuilder, value: Value): Value {
  const threshold = builder.float(builder.pick([0, 1, 10, 50]));
  const above = builder.node('Relu', [builder.node('Sub', [value.name, threshold])]);
  return spread(builder, value, builder.node('ReduceSum', [above, builder.integers(0)], { keepdims: 1 }));
}

/** There is a first row and a last one, however few there are. */
function gatherRows(builder: GraphBuilder, value: Value): Value {
  const indices = Array.from({ length: builder.int(1, 3) }, () => builder.pick([0, -1]));
  const name = builder.node('Gather', [value.name, builder.integers(...indices)], { axis: 0 });
  if (indices.length === 1 && builder.chance(0.7)) return spread(builder, value, name);
  return withRows(value, name, indices.length);
}

/** Keeps the rows whose largest element is above 0. */
function compressPositive(builder: GraphBuilder, value: Value): Value | undefined {
  if (value.dims.length !== 2) return undefined;
  const largest = builder.node('ReduceMax', [value.name], { axes: [1], keepdims: 0 });
  const condition = builder.node('Greater', [largest, builder.float(0)]);
  return withRows(value, builder.node('Compress', [value.name, condition], { axis: 0 }), 'some');
}

/** Time is the first dimension; of two dimensions, the second is the features of one sequence. */
function lstm(builder: GraphBuilder, value: Value): Value | undefined {
  const width = widthOf(value);
  if (width === undefined) return undefined;
  const isFlat = value.dims.length === 2;
  const sequence = isFlat ? builder.node('Unsqueeze', [value.name, builder.integers(1)]) : value.name;
  const size = builder.int(1, 4);
  const weights = [builder.floats([1, 4 * size, width]), builder.floats([1, 4 * size, size])];
  const all = builder.node('LSTM', [sequence, ...weights], { hidden_size: size });
  const axes = isFlat ? builder.integers(1, 2) : builder.integers(1);
  return { ...same(value, builder.node('Squeeze', [all, axes])), dims: [...value.dims.slice(0, -1), size] };
}

/** Sorts the rows' elements, column by column, or keeps the largest of each. */
function topRows(builder: GraphBuilder, value: Value): Value {
  const isSorted = builder.chance(0.5);
  const count = isSorted ? rowsOf(builder, value) : builder.integers(1);
  const name = builder.node('TopK', [value.name, count], { axis: 0 }, 2);
  return isSorted ? same(value, name) : withRows(value, name, 1);
}

function attentionRows(builder: GraphBuilder, value: Value): Value | undefined {
  if (value.dims.length !== 2) return undefined;
  const scores = builder.node('MatMul', [value.name, builder.node('Transpose', [value.name])]);
  const shares = builder.node('Softmax', [scores], { axis: -1 });
  return same(value, builder.node('MatMul', [shares, value.name]));
}

/** Adds to each row its number. */
function positions(builder: GraphBuilder, value: Value): Value {
  const scalar = (number: number) => builder.constant('INT64', [], BigInt64Array.of(BigInt(number)));
  const rows = builder.node('Squeeze', [rowsOf(builder, value), builder.integers(0)]);
  const numbers = builder.node('Cast', [builder.node('Range', [scalar(0), rows, scalar(1)])], { to: 1 });
  const axes = value.dims.slice(1).map((_, index) => index + 1);
  const column = axes.length > 0 ? builder.node('Unsqueeze', [numbers, builder.integers(...axes)]) : numbers;
  return same(value, builder.node('Add', [value.name, column]));
}
