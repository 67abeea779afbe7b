import { GraphBuilder, Step, Value } from './random-graphs/graph-builder.js';
import { MIXING_STEPS } from './random-graphs/mixing-steps.js';
import { ROW_WISE_STEPS } from './random-graphs/row-wise-steps.js';
import { RandomInput, randomSource, Source } from './random-graphs/sources.js';
import { writeOnnx } from './onnx-writer.js';
import { seededRandom } from './seeded-random.js';
import { V2Tensor } from './v2-tensors.js';

const ROWS_NAMES = ['batch', 'N', 'seq_len', 'time'];
const SCALES = [0.05, 1, 1, 5, 100];
const MOST_STEPS = 5;

/** A small model, the same for the same seed. */
export interface RandomGraph {
  /** An ONNX file. */
  readonly bytes: Buffer;
  readonly inputs: readonly RandomInput[];
  /** Its steps, for the message of a test that fails. */
  readonly describe: string;
  /** True: rows give the same alone and in company. False: they may not, as one step at least goes over all rows. */
  readonly isRowWise: boolean;
}

/** Draws inputs and up to five steps. The first dimension of all inputs and outputs is open, whatever comes out. */
export function randomGraph(seed: number | string): RandomGraph {
  const builder = new GraphBuilder(seededRandom(`graph ${seed}`));
  const rows = builder.pick(ROWS_NAMES);
  const source = randomSource(builder, rows);
  const mixingShare = source.isRowWise && builder.chance(0.4) ? 0 : 0.5;
  const taken: Step[] = [];
  const values = [source.value];
  for (let left = builder.int(1, MOST_STEPS); left > 0; left--) {
    const last = values.at(-1) as Value;
    if (mayBeEmpty(last) || last.datatype !== 'FP32' || last.dims.length === 0) break;
    const step = builder.pick(builder.chance(mixingShare) ? MIXING_STEPS : ROW_WISE_STEPS);
    const value = step.apply(builder, last);
    if (!value) continue;
    taken.push(step);
    values.push(value);
  }
  const outputs = drawOutputs(builder, values, rows);
  return {
    bytes: writeOnnx({ inputs: source.inputs, outputs, nodes: builder.nodes, weights: builder.weights }),
    inputs: source.inputs,
    describe: describe(source, taken, outputs),
    isRowWise: source.isRowWise && taken.every((step) => ROW_WISE_STEPS.includes(step)),
  };
}

/** Few steps can take what has no rows. */
function mayBeEmpty({ dims }: Value): boolean {
  return dims[0] === 'some';
}

/** The last value, and at times one on the way. What is an input as well goes through an Identity. */
function drawOutputs(builder: GraphBuilder, values: readonly Value[], rows: string) {
  const last = values.at(-1) as Value;
  const drawn = builder.chance(0.2) ? new Set([last, builder.pick(values)]) : new Set([last]);
  return [...drawn].map(({ name, datatype, dims }, output) => ({
    name: builder.node('Identity', [name]),
    datatype,
    shape: [builder.chance(0.7) ? rows : `rows_${output}`, ...dims.slice(1).map((_, axis) => `out_${output}_${axis}`)],
  })); // prettier-ignore
}

function describe(source: Source, steps: readonly Step[], outputs: readonly { readonly shape: readonly unknown[] }[]) {
  const inputs = source.inputs.map(({ name, datatype, shape }) => `${name} ${datatype}[${shape.join(', ')}]`);
  const all = [source.describe, ...steps.map(({ name }) => name)].filter(Boolean);
  return [inputs.join(' and '), ...all, outputs.map(({ shape }) => `[${shape.join(', ')}]`).join(' and ')].join(' → ');
} // prettier-ignore

/**
 * Requests that the graph takes, all different, of one row or a few, and of sizes from hundredths to hundreds. Most have the
 * same open dimensions, so that their rows could share a run.
 */
export function randomRequests(
  seed: number | string,
  { inputs }: Pick<RandomGraph, 'inputs'>,
  count: number,
): V2Tensor[][] {
  const builder = new GraphBuilder(seededRandom(`requests ${seed}`));
  const usualLength = builder.int(1, 4);
  return Array.from({ length: count }, () => {
    const rows = builder.pick([1, 1, 1, 2, 3, 5]);
    const length = builder.chance(0.7) ? usualLength : builder.int(1, 4);
    const sizes: Readonly<Record<string, number>> = { others: builder.int(1, 5), length };
    const scale = builder.pick(SCALES);
    return inputs.map(({ name, datatype, shape, below }) => {
      const dims = shape.map((dim) => (typeof dim === 'number' ? dim : (sizes[dim] ?? rows)));
      const elements = dims.reduce((product, dim) => product * dim, 1);
      const data = Array.from({ length: elements }, () =>
        below === undefined ? float(builder, scale) : builder.int(0, below - 1),
      );
      return { name, datatype, shape: dims, data };
    });
  });
}

/** At times 0: ReLUs and quantisation make many of them. */
function float(builder: GraphBuilder, scale: number): number {
  return builder.chance(0.1) ? 0 : Math.fround((builder.int(-1e6, 1e6) / 1e6) * scale);
}
