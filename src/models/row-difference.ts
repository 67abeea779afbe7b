import { Rows } from '../protocol/rows.js';
import { elementCount, TensorData } from '../protocol/tensor.js';
import { runAlone, runTogether } from './batch.js';
import { Session } from './session.js';

/** Rows that have run alone, and the whole outputs that they got. */
export interface Specimen {
  readonly rows: Rows;
  readonly alone: Rows;
}

/** How the answer to the same rows differed in company from what it was alone. */
export interface Difference {
  readonly output: string;
  /** The largest difference between two elements; Infinity where they have no distance. */
  readonly by: number;
  /**
   * False where the rows get the same answer among copies of themselves: then it is not the others that change it, but the number of
   * rows or their place. Seldom, that is rounding, on the edge between two steps of a quantised model; often, it is the model.
   */
  readonly isConclusive: boolean;
}

/** Two floating-point elements are the same answer within this share of the larger … */
const RELATIVE_TOLERANCE = 1e-4;
/** … and this much beside it: sums of another order differ by as much near 0. */
const ABSOLUTE_TOLERANCE = 1e-6;
/** Inputs that are changed by this share show how far rounding alone can move an answer: some 16 units in the last place. */
const JIGGLE = 2e-6;
const JIGGLES = 4;
/** An answer may differ by so many times as much as jiggling moves it. */
const JIGGLE_FACTOR = 8;

/**
 * Holds the answer in company against the one alone. What differs beyond the tolerance is held against what rounding can do to
 * this very request. It runs again, alone, with its floating-point inputs changed in their last places: an answer that jumps by
 * that, as a label does on a near tie, is no other answer. And it runs among as many copies of itself, at the same place.
 *
 * @param company the same rows' outputs in a run with others
 * @param size of that run, in rows
 * @param random from 0 to below 1
 * @returns undefined where both are the same within rounding
 */
export async function differenceOf(
  { rows, alone }: Specimen,
  company: Rows,
  size: number,
  session: Session,
  random: () => number = Math.random,
): Promise<Difference | undefined> {
  const mayJiggle = rows.tensors.some(isFloat);
  let jiggled: Rows[] | undefined;
  let copied: Rows | undefined;
  for (const [index, { name }] of session.signature.outputs.entries()) {
    const own = alone.dims[index] ?? [];
    if (!areSame([company.count, ...(company.dims[index] ?? [])], own))
      return { output: name, by: Infinity, isConclusive: true };
    const width = elementCount(own.slice(1));
    const start = company.first * width;
    const pair = { alone: alone.tensors[index] as TensorData, company: company.tensors[index] as TensorData };
    let differing = differingElements(pair, start, company.count * width, mayJiggle);
    if (differing.length > 0 && mayJiggle) {
      const moved = (jiggled ??= await runJiggled(session, rows, random));
      differing = differing.filter((at) => !moved.some((other) => explains(other, index, pair, start, at)));
    }
    if (differing.length === 0) continue;
    const by = largest(pair, start, differing);
    copied ??= await runAmongCopies(session, rows, company.first, size);
    const copies = copied?.tensors[index];
    const isConclusive =
      !copies || !differing.every((at) => isSame(copies, start + at, pair.company, start + at));
    return { output: name, by, isConclusive };
  }
  return undefined;
}

/** True where answers to different requests differ: a swap of them would show. */
export function doDiffer({ alone: one }: Specimen, { alone: other }: Specimen): boolean {
  return one.tensors.some((data, index) => {
    const pair = { alone: data, company: other.tensors[index] as TensorData };
    return data.length !== pair.company.length || differingElements(pair, 0, data.length, true).length > 0;
  });
}

interface Pair {
  readonly alone: TensorData;
  readonly company: TensorData;
}

/** @param start of the rows in company; those alone start at 0 */
function differingElements(
  { alone, company }: Pair,
  start: number,
  length: number,
  mayJiggle: boolean,
): number[] {
  // Without a second look, elements near 0 may be what is left of large ones.
  const scale = mayJiggle ? 0 : largestOf(alone);
  const differing: number[] = [];
  for (let at = 0; at < length; at++) if (!isSame(alone, at, company, start + at, scale)) differing.push(at);
  return differing;
}

/** @param scale of the numbers that two floating-point elements may have come from */
function isSame(one: TensorData, at: number, other: TensorData, otherAt: number, scale = 0): boolean {
  const [a, b] = [one[at], other[otherAt]];
  if (Object.is(a, b)) return true;
  if (!isFloat(one) || typeof a !== 'number' || typeof b !== 'number') return false;
  const allowed = RELATIVE_TOLERANCE * Math.max(scale, Math.abs(a), Math.abs(b)) + ABSOLUTE_TOLERANCE;
  return Number.isFinite(a - b) && Math.abs(a - b) <= allowed;
}

/** True where rounding moves that element as far as company did. */
function explains(
  jiggled: Rows,
  output: number,
  { alone, company }: Pair,
  start: number,
  at: number,
): boolean {
  const moved = jiggled.tensors[output] as TensorData;
  if (moved.length !== alone.length) return true;
  if (!isFloat(alone)) return moved[at] !== alone[at];
  if (Object.is(moved[at], alone[at])) return false;
  const reach = Math.abs((moved[at] as number) - (alone[at] as number));
  const distance = Math.abs((company[start + at] as number) - (alone[at] as number));
  return Number.isNaN(reach) || distance <= JIGGLE_FACTOR * reach;
}

/**
 * Runs rows at the same place as in company, where all others are their copies.
 *
 * @returns the outputs of the whole run; undefined where it fails, which company did not
 */
async function runAmongCopies(
  session: Session,
  rows: Rows,
  first: number,
  size: number,
): Promise<Rows | undefined> {
  const { count } = rows;
  const rowAt = (place: number) => rows.first + ((((place - first) % count) + count) % count);
  const copies = Array.from({ length: size }, (_, place) => ({ ...rows, first: rowAt(place), count: 1 }));
  try {
    return (await runTogether(session, copies))[0];
  } catch {
    return undefined;
  }
}

/** Runs rows alone, changed in their last places. Changes that the model refuses tell nothing. */
async function runJiggled(session: Session, rows: Rows, random: () => number): Promise<Rows[]> {
  const outputs: Rows[] = [];
  for (let run = 0; run < JIGGLES; run++) {
    try {
      outputs.push(await runAlone(session, jiggle(rows, random)));
    } catch {
      // An index that was the last of its table may be beyond it.
    }
  }
  return outputs;
}

function jiggle(rows: Rows, random: () => number): Rows {
  const tensors = rows.tensors.map((data) =>
    isFloat(data) ? data.map((value) => value * (1 + JIGGLE * (2 * random() - 1))) : data,
  );
  return { ...rows, tensors };
}

function largest({ alone, company }: Pair, start: number, places: readonly number[]): number {
  if (!isFloat(alone)) return Infinity;
  const distances = places.map((at) => Math.abs((company[start + at] as number) - (alone[at] as number)));
  return distances.reduce(
    (most, distance) => (distance >= most ? distance : Number.isNaN(distance) ? Infinity : most),
    0,
  );
}

function largestOf(data: TensorData): number {
  let most = 0;
  if (!isFloat(data)) return most;
  for (const value of data) if (Math.abs(value) > most) most = Math.abs(value);
  return most;
}

function isFloat(data: TensorData): data is Float32Array | Float64Array {
  return data instanceof Float32Array || data instanceof Float64Array;
}

function areSame(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((dim, axis) => dim === others[axis]);
}
