import { FigureName, FIGURES } from '../figures.js';
import { Results } from '../results.js';
import { COMPARED_IO_MS, COMPARISON, LATENCY_RATE } from '../suites/comparison.suite.js';
import { RATE } from '../suites/live.suite.js';
import { MODELS } from '../suites/models.suite.js';
import { BODY, CONCURRENCY, IO_WAIT } from '../suites/sweeps.suite.js';
import { barChart, lineChart, Series, stackedChart } from './charts.js';
import { STAGE_NAMES, stagesOf } from './stages.js';

export interface Plot {
  /** Of its file, without `.svg`. */
  readonly name: string;
  readonly svg: string;
}

/** Every plot for which something was measured. */
export function plotsOf(results: Results): Plot[] {
  return [
    comparison(results, 'throughput', 'Throughput, one CPU for the worker', 'perSecond', 'messages/s'),
    comparison(results, 'cpu', 'CPU time of the worker per message', 'cpuUs', 'µs, user and system'),
    comparison(results, 'latency', `p99 latency at ${LATENCY_RATE} messages/s`, 'p99Ms', 'ms'),
    sweep(results, RATE, 'latency-by-rate', 'Latency by rate, I/O wait 50 ms', '% of saturation', 'ms', [
      'p50Ms',
      'p90Ms',
      'p99Ms',
      'p999Ms',
    ]),
    throughput(results, CONCURRENCY, 'Throughput by concurrency, I/O wait 50 ms', 'messages in hand at once'),
    throughput(results, BODY, 'Throughput by body size', 'numbers in a row, as JSON'),
    workers(results),
    throughput(results, IO_WAIT, 'Throughput by I/O wait', 'I/O wait, ms'),
    stages(results),
  ].filter((plot) => plot !== undefined);
}

function comparison(
  results: Results,
  name: string,
  title: string,
  figure: FigureName,
  label: string,
): Plot | undefined {
  const groups = results
    .subjects(COMPARISON)
    .map((subject) => ({
      name: subject,
      values: COMPARED_IO_MS.map((io) => results.spread(COMPARISON, subject, io, figure)),
    }))
    .filter(({ values }) => values.some((value) => value !== undefined));
  if (groups.length === 0) return undefined;
  const series = COMPARED_IO_MS.map((io) => `I/O wait ${io} ms`);
  return { name, svg: barChart({ title, label, digits: FIGURES[figure].digits, series, groups }) };
}

function throughput(results: Results, suite: string, title: string, xLabel: string): Plot | undefined {
  return sweep(results, suite, `throughput-by-${suite}`, title, xLabel, 'messages/s', ['perSecond']);
}

/** A line for each figure of the suite's subject. */
function sweep(
  results: Results,
  suite: string,
  name: string,
  title: string,
  xLabel: string,
  yLabel: string,
  figures: readonly FigureName[],
): Plot | undefined {
  const [subject = ''] = results.subjects(suite);
  const isShare = suite === RATE;
  const series = figures.map((figure) => ({
    name: figures.length > 1 ? FIGURES[figure].label.replace(' ms', '') : subject,
    // At saturation itself messages queue, and latency says how many were sent.
    points: pointsOf(results, suite, subject, figure).filter(({ x }) => !isShare || x < 100),
  }));
  return drawn(name, { title, xLabel, yLabel, series });
}

function workers(results: Results): Plot | undefined {
  const series = results
    .subjects(MODELS)
    .filter((model) => results.xs(MODELS, model).length > 1)
    .map((model) => ({ name: model, points: pointsOf(results, MODELS, model, 'perSecond') }));
  const title = 'Throughput by workers, compute-bound models';
  return drawn('throughput-by-workers', {
    title,
    xLabel: 'workers, a CPU each',
    yLabel: 'messages/s',
    series,
  });
}

function stages(results: Results): Plot | undefined {
  const groups = stagesOf(results).map(({ name, ms }) => ({ name, values: ms }));
  if (groups.length === 0) return undefined;
  const title = "Where a message's time goes, at p50";
  return { name: 'stages', svg: stackedChart({ title, unit: 'ms', series: STAGE_NAMES, groups }) };
}

function drawn(name: string, chart: Parameters<typeof lineChart>[0]): Plot | undefined {
  const series = chart.series.filter(({ points }) => points.length > 0);
  return series.length === 0 ? undefined : { name, svg: lineChart({ ...chart, series }) };
}

function pointsOf(results: Results, suite: string, subject: string, figure: FigureName): Series['points'] {
  return results.xs(suite, subject).flatMap((x) => {
    const y = results.spread(suite, subject, x, figure);
    return y ? [{ x, y }] : [];
  });
}
