/** What is measured, how it is shown, and which way is better. */
export const FIGURES = {
  perSecond: { label: 'msg/s', digits: 0, isBetter: 'higher' },
  cpuUs: { label: 'CPU µs/msg', digits: 1, isBetter: 'lower' },
  /** Of the other one in a `side-by-side` run, and how many times that onnxmq's `cpuUs` is. */
  otherCpuUs: { label: 'its CPU µs/msg', digits: 1, isBetter: 'lower' },
  cpuRatio: { label: 'onnxmq to it', digits: 2, isBetter: 'lower' },
  p50Ms: { label: 'p50 ms', digits: 1, isBetter: 'lower' },
  p90Ms: { label: 'p90 ms', digits: 1, isBetter: 'lower' },
  p99Ms: { label: 'p99 ms', digits: 1, isBetter: 'lower' },
  p999Ms: { label: 'p99.9 ms', digits: 1, isBetter: 'lower' },
  /** How late the load generator sent, at p99: what the latencies hold that is not the worker's. */
  sendLagP99Ms: { label: 'send lag p99 ms', digits: 1, isBetter: 'lower' },
  /** From receipt to confirmed answer in the worker, as its own log has it. */
  workerP50Ms: { label: 'p50 in the worker ms', digits: 2, isBetter: 'lower' },
  meanBatch: { label: 'mean batch', digits: 1, isBetter: 'higher' },
  peakRssMb: { label: 'peak RSS MB', digits: 0, isBetter: 'lower' },
  /** From start to consuming. */
  readyMs: { label: 'start to ready ms', digits: 0, isBetter: 'lower' },
  eventLoopP99Ms: { label: 'event-loop delay p99 ms', digits: 1, isBetter: 'lower' },
  lostConnections: { label: 'lost connections', digits: 0, isBetter: 'lower' },
} as const;

export type FigureName = keyof typeof FIGURES;
export type Figures = { readonly [Name in FigureName]?: number };

/** The figures of one run. */
export interface Measurement {
  readonly suite: string;
  /** A contestant or a model. */
  readonly subject: string;
  /** What the suite varies: ms of I/O wait, messages at once, floats, workers, percent of saturation … */
  readonly x: number;
  readonly round: number;
  readonly figures: Figures;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @returns undefined where there is nothing */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return undefined;
  const upper = sorted[Math.floor(sorted.length / 2)] as number;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] as number;
  return { median: (lower + upper) / 2, min, max };
}

/**
 * The smallest value that at least `percent` % of the values do not exceed (nearest rank).
 *
 * @param sorted ascending
 * @returns NaN where there is nothing
 */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  // Rounded, as 0.999 × 1000 is 999.0000000000001.
  const rank = Math.ceil(Number(((percent / 100) * sorted.length).toFixed(6)));
  return sorted[Math.max(rank, 1) - 1] ?? NaN;
}

/** A figure with its unit left out, in as many digits as mean something. */
export function shown(value: number | undefined, name: FigureName): string {
  return value === undefined || Number.isNaN(value) ? '' : count(value, FIGURES[name].digits);
}

export function count(value: number, digits = 0): string {
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
