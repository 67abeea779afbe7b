import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchOptions } from '../options.js';
import { Results } from '../results.js';
import { BenchReport } from './bench-report.js';
import { checksTable, suiteTable } from './table.js';

/** Prints the tables and writes the files that were asked for. */
export function writeReport(
  options: BenchOptions,
  results: Results,
  about: Omit<BenchReport, 'measurements' | 'medians'>,
): void {
  const report: BenchReport = { ...about, measurements: results.measurements, medians: results.medians() };
  for (const suite of results.suites()) console.log(suiteTable(results, suite));
  console.log(checksTable(report.checks));
  mkdirSync(options.out, { recursive: true });
  const json = join(options.out, 'bench.json');
  writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\n  ${json}`);
}
