import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchOptions } from '../options.js';
import { Results } from '../results.js';
import { BenchReport, readReport } from './bench-report.js';
import { compare } from './compare.js';
import { htmlReport } from './html.js';
import { plotsOf } from './plots.js';
import { changesTable, checksTable, suiteTable } from './table.js';

/** Prints the tables and writes the files that were asked for. */
export function writeReport(
  { out, svg, compare: earlier }: Pick<BenchOptions, 'out' | 'svg' | 'compare'>,
  results: Results,
  about: Omit<BenchReport, 'measurements' | 'medians'>,
): void {
  const report: BenchReport = { ...about, measurements: results.measurements, medians: results.medians() };
  const changes = earlier ? compare(readReport(earlier).measurements, report.measurements) : [];
  const plots = plotsOf(results);
  for (const suite of results.suites()) console.log(suiteTable(results, suite));
  if (report.checks.some(({ verdict }) => verdict !== 'not measured'))
    console.log(checksTable(report.checks));
  if (changes.length > 0) console.log(changesTable(changes));

  mkdirSync(out, { recursive: true });
  const files = [
    [join(out, 'bench.json'), `${JSON.stringify(report, null, 2)}\n`],
    [join(out, 'bench.html'), htmlReport(report, plots, changes)],
    ...(svg ? plots.map((plot) => [join(svg, `${plot.name}.svg`), plot.svg]) : []),
  ] as [string, string][];
  if (svg) mkdirSync(svg, { recursive: true });
  for (const [path, content] of files) writeFileSync(path, content);
  console.log(`\n  ${files.map(([path]) => path).join(' ')}`);
}
