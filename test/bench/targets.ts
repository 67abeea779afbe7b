import { FigureName } from './figures.js';
import { Results } from './results.js';
import { COMPARISON } from './suites/comparison.suite.js';
import { HIGH_LOAD, IDLE, RATE } from './suites/live.suite.js';
import { BARE, BATCH_SIZE, BY_ONNXMQ, EVENT_LOOP, MODELS } from './suites/models.suite.js';
import { FEW_WAITING, MEMORY, WAITING } from './suites/queue.suite.js';
import { SIDE_BY_SIDE } from './suites/side-by-side.suite.js';

/** A figure that has to be reached: ratios, ms, MB; each of medians of one bench. */
interface Target {
  readonly name: string;
  readonly limit: number;
  readonly isReached: 'at least' | 'at most';
  readonly unit: '×' | 'ms' | 'MB' | '';
  readonly digits: number;
  /** The suite that measures it. */
  readonly suite: string;
  /** @returns undefined where something was not measured */
  measured(results: Results): number | undefined;
}

/** What became of a target. */
export interface Check {
  readonly name: string;
  readonly limit: number;
  readonly isReached: Target['isReached'];
  readonly unit: Target['unit'];
  readonly digits: number;
  readonly measured?: number;
  readonly verdict: 'passed' | 'missed' | 'not measured';
}

const IO_MS = 50;
const US = 'onnxmq';

export const TARGETS: readonly Target[] = [
  atLeast('throughput against sequential, I/O 50 ms', 1000, COMPARISON, (results) =>
    compared(results, 'perSecond', IO_MS, 'sequential'),
  ),
  ...[0, IO_MS].flatMap((io) => [
    atMost(`CPU per message against hand-written, I/O ${io} ms`, 0.95, SIDE_BY_SIDE, (results) =>
      cost(results, io, ['hand-written']),
    ),
    atMost(
      `CPU per message against the cheaper of Go and Rust, I/O ${io} ms`,
      0.95,
      SIDE_BY_SIDE,
      (results) => cost(results, io, ['go', 'rust']),
    ),
    atMost(`CPU per message against stock-nest, I/O ${io} ms`, 0.5, COMPARISON, (results) =>
      compared(results, 'cpuUs', io, 'stock-nest'),
    ),
    atLeast(`throughput against hand-written, I/O ${io} ms`, 1, COMPARISON, (results) =>
      compared(results, 'perSecond', io, 'hand-written'),
    ),
  ]),
  ...[0, IO_MS].flatMap((io) => [
    idle(`idle round trip less the I/O wait of ${io} ms, p50`, io, 'p50Ms', 1.5),
    idle(`idle round trip less the I/O wait of ${io} ms, p99`, io, 'p99Ms', 5),
  ]),
  {
    ...atMost(`p99 at ${HIGH_LOAD} % of saturation less the I/O wait of ${IO_MS} ms`, 25, RATE, (results) =>
      less(results.median(RATE, US, HIGH_LOAD, 'p99Ms'), IO_MS),
    ),
    unit: 'ms',
    digits: 1,
  },
  atLeast('rows/s of the 29 MB MLP against a bare session.run loop', 0.95, BARE, (results) =>
    ratio(
      results.median(BARE, BY_ONNXMQ, BATCH_SIZE, 'perSecond'),
      results.median(BARE, 'mlp-29mb', BATCH_SIZE, 'perSecond'),
    ),
  ),
  {
    ...atMost('event-loop delay p99 with batches of 100 ms', 10, EVENT_LOOP, (results) =>
      results.median(EVENT_LOOP, 'slow-convolution', 100, 'eventLoopP99Ms'),
    ),
    unit: 'ms',
    digits: 1,
  },
  {
    ...atMost(
      'connections lost meanwhile, at heartbeats of 5 s',
      0,
      EVENT_LOOP,
      (results) => results.spread(EVENT_LOOP, 'slow-convolution', 100, 'lostConnections')?.max,
    ),
    unit: '',
    digits: 0,
  },
  atLeast('two workers on a compute-bound model against one', 1.8, MODELS, (results) =>
    ratio(
      results.median(MODELS, 'slow-convolution', 2, 'perSecond'),
      results.median(MODELS, 'slow-convolution', 1, 'perSecond'),
    ),
  ),
  {
    ...atMost('peak RSS on a long backlog, digits', 160, MEMORY, (results) =>
      worst(results, MEMORY, 'peakRssMb'),
    ),
    unit: 'MB',
    digits: 0,
  },
  {
    ...atMost('start to ready, digits', 1000, COMPARISON, (results) =>
      results.median(COMPARISON, US, IO_MS, 'readyMs'),
    ),
    unit: 'ms',
    digits: 0,
  },
  atMost('CPU per message with very many waiting against 1,000', 1.05, WAITING, (results) => {
    const many = results.xs(WAITING, US).at(-1) ?? NaN;
    return many === FEW_WAITING
      ? undefined
      : ratio(results.median(WAITING, US, many, 'cpuUs'), results.median(WAITING, US, FEW_WAITING, 'cpuUs'));
  }),
];

/** The suites that the targets need. */
export const TARGET_SUITES: readonly string[] = [...new Set(TARGETS.map(({ suite }) => suite))];

export function checkTargets(results: Results, targets: readonly Target[] = TARGETS): Check[] {
  return targets.map((target) => {
    const { name, limit, isReached, unit, digits } = target;
    const measured = target.measured(results);
    const check = { name, limit, isReached, unit, digits, measured };
    if (measured === undefined) return { ...check, verdict: 'not measured' };
    const isPassed = isReached === 'at least' ? measured >= limit : measured <= limit;
    return { ...check, verdict: isPassed ? 'passed' : 'missed' };
  });
}

function atLeast(name: string, limit: number, suite: string, measured: Target['measured']): Target {
  return { name, limit, isReached: 'at least', unit: '×', digits: 2, suite, measured };
}

function atMost(name: string, limit: number, suite: string, measured: Target['measured']): Target {
  return { ...atLeast(name, limit, suite, measured), isReached: 'at most' };
}

function idle(name: string, ioMs: number, figure: FigureName, limit: number): Target {
  const target = atMost(name, limit, IDLE, (results) => less(results.median(IDLE, US, ioMs, figure), ioMs));
  return { ...target, unit: 'ms', digits: 2 };
}

/** Ours against another's; undefined where that was not measured. */
function compared(results: Results, figure: FigureName, ioMs: number, other: string): number | undefined {
  const [ours, theirs] = [US, other].map((name) => results.median(COMPARISON, name, ioMs, figure));
  return ratio(ours, theirs);
}

/** The cost against the cheapest of the others: side by side where they were, else as measured one after the other. */
function cost(results: Results, ioMs: number, others: readonly string[]): number | undefined {
  const ratios = others.map(
    (name) =>
      results.median(SIDE_BY_SIDE, name, ioMs, 'cpuRatio') ??
      compared(results, 'cpuUs', ioMs, name) ??
      -Infinity,
  );
  const largest = Math.max(...ratios);
  return largest === -Infinity ? undefined : largest;
}

function worst(results: Results, suite: string, figure: FigureName): number | undefined {
  const [x] = results.xs(suite, US);
  return x === undefined ? undefined : results.spread(suite, US, x, figure)?.max;
}

function ratio(ours: number | undefined, theirs: number | undefined): number | undefined {
  return ours === undefined || theirs === undefined ? undefined : ours / theirs;
}

function less(value: number | undefined, taken: number): number | undefined {
  return value === undefined ? undefined : value - taken;
}
