import { count, FigureName, FIGURES, shown } from '../figures.js';
import { Results } from '../results.js';
import { SUITES } from '../suites.js';
import { Check } from '../targets.js';
import { Change } from './compare.js';

/** In one line of a terminal there is room for these; bench.json and bench.html have all. */
const LEFT_OUT: readonly FigureName[] = ['sendLagP99Ms', 'workerP50Ms'];

const WITH_SPREAD: readonly FigureName[] = ['perSecond', 'cpuUs', 'cpuRatio'];

/** A suite as a table: medians, and the spread of throughput and cost. */
export function suiteTable(results: Results, suite: string): string {
  const figures = results.figures(suite).filter((figure) => !LEFT_OUT.includes(figure));
  const header = ['', suite, ...figures.map((figure) => FIGURES[figure].label)];
  const rows = results.xs(suite).flatMap((x) =>
    results
      .subjects(suite)
      .filter((subject) => results.xs(suite, subject).includes(x))
      .map((subject) => [
        subject,
        count(x),
        ...figures.map((figure) => cellOf(results, suite, subject, x, figure)),
      ]),
  );
  return `\n${suite}: ${SUITES[suite] ?? ''}\n${aligned([header, ...rows])}`;
}

/** `24,310 (23,900–25,020)`, the spread only where it is of interest. */
export function cellOf(
  results: Results,
  suite: string,
  subject: string,
  x: number,
  figure: FigureName,
): string {
  const spread = results.spread(suite, subject, x, figure);
  if (!spread) return '';
  const median = shown(spread.median, figure);
  const isSpread = WITH_SPREAD.includes(figure) && spread.min !== spread.max;
  return isSpread ? `${median} (${shown(spread.min, figure)}–${shown(spread.max, figure)})` : median;
}

export function checksTable(checks: readonly Check[]): string {
  const rows = checks.map((check) => [check.name, limitOf(check), measuredOf(check), check.verdict]);
  return `\ntargets\n${aligned([['', 'target', 'measured', ''], ...rows])}`;
}

/** Each figure of both benches: before, after, and by how much. */
export function changesTable(changes: readonly Change[]): string {
  const rows = changes.map(({ suite, subject, x, figure, before, after, ratio, verdict }) => [
    `${suite} ${subject} ${count(x)}: ${FIGURES[figure].label}`,
    shown(before, figure),
    shown(after, figure),
    `${count(ratio, 2)} ×`,
    verdict,
  ]);
  return `\nbefore and after\n${aligned([['', 'before', 'after', 'ratio', ''], ...rows])}`;
}

export function limitOf({ isReached, limit, unit, digits }: Check): string {
  return `${isReached === 'at least' ? '≥' : '≤'} ${count(limit, limit % 1 === 0 ? 0 : digits)} ${unit}`.trim();
}

export function measuredOf({ measured, unit, digits }: Check): string {
  return measured === undefined ? '' : `${count(measured, digits)} ${unit}`.trim();
}

/** The first column to the left, the others to the right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join('\n');
}
