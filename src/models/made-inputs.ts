import { ModelSignature, Rows } from '../protocol/rows.js';
import { allocate, Datatype, elementCount, TensorData, TensorSpec } from '../protocol/tensor.js';

/**
 * What made numbers are like. Floating-point ones are 0, within ±1, within ±0.01, from 0 to 255, or within ±10⁶; whole ones are
 * the two smallest, as an id beyond a vocabulary fails, and a size that is large takes memory; but for `ids`, below 50.
 */
export type MadeKind = 'zeros' | 'small' | 'faint' | 'wide' | 'huge' | 'ids';

/** What a model's file leaves to guess. */
export interface Guess {
  /** The size of each dimension that is open, besides the first. */
  readonly openSize: number;
  /** The smallest of whole numbers; the largest is one more. */
  readonly leastInteger: number;
}

const OPEN_SIZES = [8, 32, 1, 64, 224];
const RANGES: Readonly<Record<MadeKind, readonly [least: number, span: number]>> = {
  zeros: [0, 0],
  small: [-1, 2],
  faint: [-0.01, 0.02],
  wide: [0, 255],
  huge: [-1e6, 2e6],
  ids: [-1, 2],
};
const WORDS = ['a', 'good', '7', 'day', 'to be or not to be', 'naïve', '2.5', 'x'];
const MAX_ID = 49;
/** Pictures have so many channels: the second of four dimensions. */
const CHANNELS = 3;

/**
 * The guesses worth trying, the likeliest first. Whole numbers that are no rows are sizes, steps and axes, for which 0 is never
 * tried: ONNX Runtime divides by some of them, and dies of it.
 */
export function guessesFor({ inputs, mayBatch }: ModelSignature): Guess[] {
  const isOpen = inputs.some(({ shape }) => shape.slice(1).some((dim) => typeof dim === 'string'));
  const hasIntegers = hasWholeNumbers(inputs);
  const leasts = mayBatch ? (hasIntegers ? [0, 1] : [0]) : [1];
  return (isOpen ? OPEN_SIZES : OPEN_SIZES.slice(0, 1)).flatMap((openSize) =>
    leasts.map((leastInteger) => ({ openSize, leastInteger })),
  );
}

/** True where some input is of whole numbers, which may be ids. */
export function hasWholeNumbers(inputs: ModelSignature['inputs']): boolean {
  return inputs.some(({ datatype }) => /INT/.test(datatype));
}

/** One request made up for a model: one row, or whole tensors where its inputs are not rows. */
export function madeRow(
  { inputs, mayBatch }: ModelSignature,
  kind: MadeKind,
  guess: Guess,
  random: () => number,
): Rows {
  const dims = inputs.map((spec) => dimsOf(spec, guess).slice(mayBatch ? 1 : 0));
  const tensors = inputs.map(({ datatype }, index) =>
    filled(datatype, elementCount(dims[index] ?? []), kind, guess, random),
  );
  return { tensors, dims, first: 0, count: 1, isWhole: !mayBatch };
}

/** The same random numbers at each start, from 0 to below 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function dimsOf({ shape }: TensorSpec, { openSize }: Guess): number[] {
  const isPicture = shape.length === 4;
  return shape.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    return axis === 0 ? 1 : isPicture && axis === 1 ? CHANNELS : openSize;
  });
}

function filled(
  datatype: Datatype,
  length: number,
  kind: MadeKind,
  { leastInteger }: Guess,
  random: () => number,
): TensorData {
  const data = allocate(datatype, length);
  const [least, span] = RANGES[kind];
  const element = (): unknown => {
    if (datatype === 'BYTES' && kind === 'zeros') return '';
    if (datatype === 'BYTES') return WORDS[Math.floor(random() * WORDS.length)];
    if (datatype === 'FP32' || datatype === 'FP64') return least + random() * span;
    if (datatype === 'BOOL') return kind !== 'zeros' && random() < 0.5 ? 1 : 0;
    const isByte = datatype === 'UINT8' || datatype === 'INT8';
    const more = Math.round(random() * (kind === 'zeros' ? 0 : kind === 'ids' ? MAX_ID - leastInteger : 1));
    const whole = isByte && span > 2 ? Math.floor(random() * 128) : leastInteger + more;
    return datatype === 'INT64' || datatype === 'UINT64' ? BigInt(whole) : whole;
  };
  for (let index = 0; index < length; index++) (data as unknown[])[index] = element();
  return data;
}
