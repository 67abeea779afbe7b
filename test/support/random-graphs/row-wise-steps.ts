import { GraphBuilder, Step, Value, widthOf, withLast } from './graph-builder.js';

const MAX_WIDTH = 12;

/** Steps that give a row the same whatever rows are beside it. */
export const ROW_WISE_STEPS: readonly Step[] = [
  { name: 'dense', apply: dense },
  { name: 'add', apply: withConstant('Add') },
  { name: 'multiply', apply: withConstant('Mul') },
  ...['Relu', 'Abs'].map((op) => elementWise(op, true)),
  ...['Tanh', 'Sigmoid'].map((op) => elementWise(op, false)),
  {
    name: 'clip',
    apply: (builder, value) => {
      const low = builder.int(-2, 0);
      return {
        ...value,
        name: builder.node('Clip', [value.name, builder.float(low), builder.float(low + builder.int(1, 3))]),
      };
    },
  },
  {
    name: 'concat-columns',
    apply: (builder, value) => {
      const width = widthOf(value);
      if (width === undefined || width * 2 > MAX_WIDTH) return undefined;
      const name = builder.node('Concat', [value.name, value.name], { axis: -1 });
      return { ...value, name, dims: withLast(value, width * 2) };
    },
  },
  {
    name: 'tile-columns',
    apply: (builder, value) => {
      const width = widthOf(value);
      if (width === undefined || width * 2 > MAX_WIDTH) return undefined;
      const repeats = builder.integers(
        ...value.dims.map((_, axis) => (axis === value.dims.length - 1 ? 2 : 1)),
      );
      return {
        ...value,
        name: builder.node('Tile', [value.name, repeats]),
        dims: withLast(value, width * 2),
      };
    },
  },
  { name: 'reduce-columns', apply: reduceColumns },
  {
    name: 'softmax-columns',
    apply: (builder, value) =>
      value.dims.length < 2
        ? undefined
        : { ...value, name: builder.node('Softmax', [value.name], { axis: -1 }), isExact: false },
  },
  {
    name: 'gather-columns',
    apply: (builder, value) => {
      const width = widthOf(value);
      if (width === undefined) return undefined;
      const indices = Array.from({ length: builder.int(1, width) }, () => builder.int(-width, width - 1));
      const name = builder.node('Gather', [value.name, builder.integers(...indices)], { axis: -1 });
      return { ...value, name, dims: withLast(value, indices.length) };
    },
  },
  {
    name: 'slice-columns',
    apply: (builder, value) => {
      const width = widthOf(value);
      if (width === undefined || width < 2) return undefined;
      const from = builder.int(0, width - 2);
      const ends = [from, width, -1].map((number) => builder.integers(number));
      return {
        ...value,
        name: builder.node('Slice', [value.name, ...ends]),
        dims: withLast(value, width - from),
      };
    },
  },
  {
    name: 'top-columns',
    apply: (builder, value) => {
      const width = widthOf(value);
      if (width === undefined) return undefined;
      const count = builder.int(1, width);
      const name = builder.node('TopK', [value.name, builder.integers(count)], { axis: -1 }, 2);
      return { ...value, name, dims: withLast(value, count) };
    },
  },
  { name: 'fixed-quantise', apply: quantise },
  {
    name: 'transpose-inside',
    apply: (builder, { name, dims, ...value }) => {
      const [first, second, third] = dims;
      if (first === undefined || second === undefined || third === undefined) return undefined;
      return {
        ...value,
        name: builder.node('Transpose', [name], { perm: [0, 2, 1] }),
        dims: [first, third, second],
      };
    },
  },
  {
    name: 'layer-norm',
    apply: (builder, value) => {
      const width = widthOf(value);
      if (width === undefined || width < 2) return undefined;
      const name = builder.node('LayerNormalization', [value.name, builder.floats([width])], { axis: -1 });
      return { ...value, name, isExact: false };
    },
  },
  { name: 'attention-inside', apply: attentionInside },
];

function elementWise(op: string, isExact: boolean): Step {
  return {
    name: op.toLowerCase(),
    apply: (builder, value) => ({
      ...value,
      name: builder.node(op, [value.name]),
      isExact: value.isExact && isExact,
    }),
  };
}

function withConstant(op: string): Step['apply'] {
  return (builder, value) => {
    const width = widthOf(value);
    const constant = width === undefined ? builder.float(1.5) : builder.floats([width], 2);
    return { ...value, name: builder.node(op, [value.name, constant]) };
  };
}

function dense(builder: GraphBuilder, value: Value): Value | undefined {
  const width = widthOf(value);
  if (width === undefined) return undefined;
  const wide = builder.int(1, 6);
  const kernel = builder.floats([width, wide]);
  const name =
    value.dims.length === 2 && builder.chance(0.5)
      ? builder.node('Gemm', [value.name, kernel, builder.floats([wide])])
      : builder.node('MatMul', [value.name, kernel]);
  return { ...value, name, dims: withLast(value, wide), isExact: false };
}

function reduceColumns(builder: GraphBuilder, value: Value): Value | undefined {
  if (value.dims.length < 2) return undefined;
  const keepdims = builder.int(0, 1);
  const op = builder.pick(['ReduceSum', 'ReduceMean', 'ReduceMax']);
  const name =
    op === 'ReduceSum'
      ? builder.node(op, [value.name, builder.integers(-1)], { keepdims })
      : builder.node(op, [value.name], { axes: [-1], keepdims });
  const dims = keepdims === 1 ? withLast(value, 1) : value.dims.slice(0, -1);
  return { ...value, name, dims, isExact: value.isExact && op === 'ReduceMax' };
}

/** Rounds to steps: what differs in its last bit may come a whole step apart. */
function quantise(builder: GraphBuilder, value: Value): Value | undefined {
  if (!value.isExact) return undefined;
  const scale = builder.float(builder.pick([0.01, 0.1, 0.5]));
  const zero = builder.constant('UINT8', [], Uint8Array.of(128));
  const quantised = builder.node('QuantizeLinear', [value.name, scale, zero]);
  return { ...value, name: builder.node('DequantizeLinear', [quantised, scale, zero]) };
}

/** Mixes what is inside a row: its second dimension is a sequence. */
function attentionInside(builder: GraphBuilder, value: Value): Value | undefined {
  if (value.dims.length !== 3 || widthOf(value) === undefined) return undefined;
  const turned = builder.node('Transpose', [value.name], { perm: [0, 2, 1] });
  const scores = builder.node('MatMul', [value.name, turned]);
  const shares = builder.node('Softmax', [scores], { axis: -1 });
  return { ...value, name: builder.node('MatMul', [shares, value.name]), isExact: false };
}
