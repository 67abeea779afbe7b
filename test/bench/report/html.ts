import { count, FIGURES, shown } from '../figures.js';
import { Results } from '../results.js';
import { SUITES } from '../suites.js';
import { Check } from '../targets.js';
import { BenchReport } from './bench-report.js';
import { Change } from './compare.js';
import { Plot } from './plots.js';
import { escaped } from './svg.js';
import { cellOf, limitOf, measuredOf } from './table.js';

const STYLE = `
:root{color-scheme:light dark;--ground:#f6f8fa;--panel:#fff;--text:#24292f;--faint:#57606a;--line:#d8dee4;--good:#1a7f37;--bad:#cf222e}
@media (prefers-color-scheme:dark){:root{--ground:#0d1117;--panel:#161b22;--text:#e6edf3;--faint:#9da7b3;--line:#30363d;--good:#3fb950;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1200px;padding:1rem;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .25rem}p{margin:.25rem 0;color:var(--faint)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:1rem;margin-top:1rem}
.plots svg{width:100%;height:auto;border:1px solid var(--line);border-radius:6px}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:6px;background:var(--panel);margin-top:.5rem}
table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}tr:last-child td{border-bottom:0}th{color:var(--faint);font-weight:600}
.passed,.better{color:var(--good)}.missed,.worse{color:var(--bad);font-weight:600}`;

/** One page with everything in it. */
export function htmlReport(report: BenchReport, plots: readonly Plot[], changes: readonly Change[]): string {
  const results = new Results(report.measurements);
  const { machine, node, harnessNode, broker, date, effort, rounds, durationS } = report;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>onnxmq bench</title><style>${STYLE}</style></head><body>
<h1>What a message costs</h1>
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
</body></html>
`;
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

/** Cells that are a verdict carry it as their class. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: 'td' | 'th') =>
    row
      .map((cell) => {
        const isVerdict = ['passed', 'missed', 'better', 'worse'].includes(cell);
        return `<${tag}${isVerdict ? ` class="${cell}"` : ''}>${escaped(cell)}</${tag}>`;
      })
      .join('');
  const body = rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('');
  return `<div class="scroll"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${body}</tbody></table></div>`;
}
