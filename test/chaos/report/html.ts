import { page, table } from '../../bench/report/page.js';
import { escaped } from '../../bench/report/svg.js';
import { KINDS } from '../kinds.js';
import { ChaosReport } from './chaos-report.js';
import { timelineChart } from './timeline-chart.js';

/** One page with everything in it. */
export function htmlReport(report: ChaosReport): string {
  const { broken, command, counts, faults, schedule } = report;
  const notReached = schedule.slice(faults.length);
  return page(
    'onnxmq chaos',
    `<h1>${faults.length} faults, ${count(counts.attempt)} messages, ${count(counts.lost)} lost</h1>
${paragraphs(aboutLines(report))}
<p>again: <code>${escaped(command)}</code></p>
<div class="plots">${timelineChart(report)}</div>
<h2>Promises</h2>
${broken.length === 0 ? '<p class="passed">All were kept.</p>' : broken.map((one) => `<p class="missed">${escaped(one)}</p>`).join('')}
<h2>Ledger</h2>${ledgerTable(report)}
<h2>Faults</h2>${faultTable(report)}
${notReached.length > 0 ? paragraphs([`not reached: ${notReached.map(({ number, kind }) => `${number} ${kind}`).join(', ')}`]) : ''}
<h2>Workers</h2>${workerTable(report)}
<h2>Kinds of faults</h2>${kindsTable(report)}
`,
  );
}

function aboutLines({
  date,
  ranMs,
  drainMs,
  ratePerS,
  broker,
  machine,
  node,
  ...rest
}: ChaosReport): string[] {
  return [
    `${date.slice(0, 16).replace('T', ' ')} UTC, ${(ranMs / 60_000).toFixed(1)} min at ${ratePerS} msg/s, then drained in ${seconds(drainMs)}`,
    `${broker}; ${machine}; Node ${node}; seed ${rest.seed}`,
    `bands: from the beginning of a fault to its end; behind it, faint, until the next result came`,
  ];
}

function ledgerTable({ counts, duplicateBound }: ChaosReport): string {
  const about: Record<keyof typeof counts, string> = {
    attempt: 'published',
    acknowledged: 'published and confirmed by the broker',
    refused: 'refused or returned by the broker',
    ok: 'with a result',
    error: 'with an error answer',
    dead: 'among the dead letters',
    lost: 'acknowledged, and neither a result nor a dead letter',
    duplicated: `answers beyond the first; at most ${count(duplicateBound)} may be`,
    differing: 'such answers that differ from the first',
    recovered: 'not acknowledged, and yet with an outcome',
    unexpected: 'answers to what was never asked',
    innocents: 'dead letters that nothing is wrong with',
    wrong: 'results of another image',
  };
  const names = Object.keys(about) as (keyof typeof counts)[];
  return table(
    ['', 'messages'],
    names.map((name) => [`${name}: ${about[name]}`, count(counts[name])]),
  );
}

function faultTable({ faults }: ChaosReport): string {
  const rows = faults.map((fault) => [
    `${fault.number} ${fault.kind}`,
    clock(fault.atMs),
    seconds(fault.healedMs - fault.atMs),
    fault.recoveryMs === undefined ? 'never' : `${count(fault.recoveryMs)} ms`,
    fault.allReadyMs === undefined ? 'never' : seconds(fault.allReadyMs),
    count(fault.duplicates),
    count(fault.duplicateBound),
    fault.problem ?? '',
  ]);
  return table(['fault', 'at', 'lasted', 'next result after', 'all ready after', 'twice', 'bound', ''], rows);
}

function kindsTable({ schedule }: ChaosReport): string {
  const planned = KINDS.map(({ name, about }) => ({
    about: `${name}: ${about}`,
    times: schedule.filter(({ kind }) => kind === name).length,
  }));
  return table(
    ['', 'planned'],
    planned.filter(({ times }) => times > 0).map(({ about, times }) => [about, String(times)]),
  );
}

function workerTable({ workers }: ChaosReport): string {
  const rows = workers.map((worker, index) => [
    `worker ${index + 1}`,
    count(worker.starts - 1),
    count(worker.crashes),
    `${worker.peakRssMb} MB`,
    `${worker.notReadyS} s`,
    count(worker.livenessFailures.length),
  ]);
  return table(
    ['', 'restarts', 'of them other than in order', 'peak RSS', 'not ready', 'liveness failures'],
    rows,
  );
}

function paragraphs(lines: readonly string[]): string {
  return lines.map((line) => `<p>${escaped(line)}</p>`).join('');
}

function clock(ms: number): string {
  const total = Math.round(ms / 1000);
  return `${Math.floor(total / 60)}:${String(total % 60).padStart(2, '0')}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function count(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 0 });
}
