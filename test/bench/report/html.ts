import { count, FIGURES, shown } from '../figures.js';
import { Results } from '../results.js';
import { SUITES } from '../suites.js';
import { Check } from '../targets.js';
import { BenchReport } from './bench-report.js';
import { Change } from './compare.js';
import { Plot } from './plots.js';
import { page, table } from './page.js';
import { escaped } from './svg.js';
import { cellOf, limitOf, measuredOf } from './table.js';

/** One page with everything in it. */
export function htmlReport(report: BenchReport, plots: readonly Plot[], changes: readonly Change[]): string {
  const results = new Results(report.measurements);
  const { machine, node, harnessNode, broker, date, effort, rounds, durationS } = report;
  return page(
    'onnxmq bench',
    `<h1>What a message costs</h1>
${[
  `${date.slice(0, 16).replace('T', ' ')} UTC, ${effort}, ${rounds} round(s), ${Math.round(durationS / 60)} min`,
  machine,
  `Node ${node}, load generator on ${harnessNode}; ${broker}`,
  ...report.conditions,
  'medians of the rounds, least to most in brackets and as whiskers',
]
  .map((line) => `<p>${escaped(line)}</p>`)
  .join('')}
<div class="plots">${plots.map(({ svg }) => svg).join('')}</div>
<h2>Targets</h2>${checks(report.checks)}
${report.failures.length > 0 ? `<h2>Failed runs</h2>${report.failures.map((one) => `<p>${escaped(one)}</p>`).join('')}` : ''}
${changes.length > 0 ? `<h2>Before and after</h2>${changesTable(changes)}` : ''}
${results
  .suites()
  .map((suite) => suiteSection(results, suite))
  .join('\n')}
<h2>Contestants</h2>${table(
      ['contestant', 'what'],
      report.contestants.map(({ name, about }) => [name, about]),
    )}
`,
  );
}

function suiteSection(results: Results, suite: string): string {
  const figures = results.figures(suite);
  const rows = results
    .subjects(suite)
    .flatMap((subject) =>
      results
        .xs(suite, subject)
        .map((x) => [
          subject,
          count(x),
          ...figures.map((figure) => cellOf(results, suite, subject, x, figure)),
        ]),
    );
  const head = ['', suite, ...figures.map((figure) => FIGURES[figure].label)];
  return `<h2>${escaped(suite)}</h2><p>${escaped(SUITES[suite] ?? '')}</p>${table(head, rows)}`;
}

function checks(all: readonly Check[]): string {
  const rows = all.map((check) => [check.name, limitOf(check), measuredOf(check), check.verdict]);
  return table(['', 'target', 'measured', ''], rows);
}

function changesTable(changes: readonly Change[]): string {
  const rows = changes.map(({ suite, subject, x, figure, before, after, ratio, verdict }) => [
    `${suite}, ${subject}, ${count(x)}: ${FIGURES[figure].label}`,
    shown(before, figure),
    shown(after, figure),
    `${count(ratio, 2)} ×`,
    verdict,
  ]);
  return table(['', 'before', 'after', 'ratio', ''], rows);
}
