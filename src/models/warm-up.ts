import { Rows } from '../protocol/rows.js';
import { isFixed } from '../protocol/tensor.js';
import { runAlone, runTogether } from './batch.js';
import { Session } from './session.js';

/** Timing takes no longer than this, however slow the model, but for batches of 1 and 2 rows. */
const TIMING_BUDGET_MS = 300;
/** A size's fastest run counts: what else the machine does only ever slows it down. */
const PASSES = 5;
/** A batch is large enough where it gives this share of the rate of any larger one … */
const GOOD_RATE = 0.95;
/** … and where a batch takes long enough that somebody would notice a shorter one, in ms. */
const MIN_BATCH_MS = 1;

/** A batch this long, in ms, is not doubled where doubling has just brought nothing. */
const LONG_BATCH_MS = 10;

/** What warm-up found out about a model. */
export interface ModelProfile {
  /** Largest batch worth running, in rows: larger ones would make their rows wait and give nothing for it. */
  readonly maxBatchSize: number;
  /** How long such a batch takes, in ms; undefined where it was not timed. */
  readonly batchMs?: number;
}

export interface BatchTiming {
  /** Rows. */
  readonly size: number;
  readonly ms: number;
}

/**
 * Runs batches of a row that the model works on, so that no request pays for first runs, and times them. A model whose inputs
 * have open dimensions besides the batch is not timed: a batch takes as long as what is sent.
 *
 * @param maxBatchSize the largest batch allowed, in rows
 * @param sample undefined: nothing is run
 * @throws NotRowsError where a batch has other rows of outputs than of inputs, or Error when the model fails on a batch
 */
export async function profile(
  session: Session,
  maxBatchSize: number,
  sample: Rows | undefined,
): Promise<ModelProfile> {
  const { inputs, mayBatch } = session.signature;
  if (!sample || !inputs.every(({ shape }) => isFixed(shape.slice(mayBatch ? 1 : 0))))
    return { maxBatchSize };
  return bestBatch(await timeBatches((size) => runSize(session, sample, size), maxBatchSize));
}

/** Runs each size once, as {@link profile} does, and times nothing. */
export async function warmUp(
  session: Session,
  maxBatchSize: number,
  sample: Rows | undefined,
): Promise<void> {
  if (sample) for (const size of batchSizes(maxBatchSize)) await runSize(session, sample, size);
}

function runSize(session: Session, sample: Rows, size: number): Promise<unknown> {
  if (size === 1) return runAlone(session, sample);
  return runTogether(
    session,
    Array.from({ length: size }, () => sample),
  );
}

/**
 * Times the powers of two, and the largest size, as far as the budget goes and as larger ones promise anything.
 *
 * @param now in ms
 */
export async function timeBatches(
  run: (size: number) => Promise<unknown>,
  maxBatchSize: number,
  now: () => number = () => performance.now(),
): Promise<BatchTiming[]> {
  const fastest = new Map<number, number>();
  const time = async (size: number) => {
    const startedAt = now();
    await run(size);
    const ms = Math.min(now() - startedAt, fastest.get(size) ?? Infinity);
    fastest.set(size, ms);
    return ms;
  };
  const endsAt = now() + TIMING_BUDGET_MS;
  const isTimeFor = (ms: number) => now() + ms <= endsAt;
  await run(1); // the very first run is like no other
  let lastMs = 0;
  for (const size of batchSizes(maxBatchSize)) {
    if (size > 2 && !isTimeFor(2 * lastMs)) break;
    const gainsNothing = (ms: number) => lastMs > 0 && ms >= LONG_BATCH_MS && ms >= 2 * GOOD_RATE * lastMs;
    let ms = await time(size);
    if (gainsNothing(ms) && isTimeFor(ms)) ms = await time(size); // it may have been interrupted
    if (gainsNothing(ms)) break;
    lastMs = ms;
  }
  for (let pass = 1; pass < PASSES; pass++)
    for (const [size, ms] of fastest) if (isTimeFor(ms)) await time(size);
  return [...fastest].map(([size, ms]) => ({ size, ms }));
}

/**
 * The smallest size over which no larger one gains enough to matter. A size that was too slow to be timed is not
 * used: it would hold up all else.
 */
export function bestBatch(timings: readonly BatchTiming[]): Required<ModelProfile> {
  const rateOf = ({ size, ms }: BatchTiming) => size / ms;
  const bySize = timings.toSorted((a, b) => a.size - b.size);
  const isEnough = (timing: BatchTiming, index: number) =>
    timing.ms >= MIN_BATCH_MS &&
    bySize.slice(index).every((larger) => rateOf(timing) >= GOOD_RATE * rateOf(larger));
  const best = bySize.find(isEnough) ?? bySize.at(-1);
  if (!best) throw new Error('nothing was timed');
  return { maxBatchSize: best.size, batchMs: best.ms };
}

function batchSizes(max: number): number[] {
  const sizes = [];
  for (let size = 1; size < max; size *= 2) sizes.push(size);
  return [...sizes, max];
}
