import { existsSync, readFileSync } from 'node:fs';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { FaultReport } from './run-fault.js';

/** The runs of `npm run faults` as a Markdown table, one row a fault. */
export function faultTable(reports: readonly FaultReport[]): string {
  const brokers = [...new Set(reports.map(({ broker }) => broker))].toSorted((a, b) => a.localeCompare(b));
  const head = [
    'when',
    'runs',
    'requests',
    'lost',
    'innocents dead',
    'answered twice (bound)',
    ...brokers.map((broker) => `back within, ${broker}`),
  ];
  const rows = groupedBy(reports, ({ fault, name }) => `${fault} ${name}`)
    .toSorted(([a], [b]) => (a as FaultReport).fault - (b as FaultReport).fault)
    .map((runs) => [
      `${runs[0]?.fault}: ${runs[0]?.name}`,
      runs.length,
      sum(runs, ({ counts }) => counts.attempt).toLocaleString('en'),
      sum(runs, ({ counts }) => counts.lost),
      sum(runs, ({ counts }) => counts.innocents),
      `${sum(runs, ({ counts }) => counts.duplicated)} (${sum(runs, (run) => run.duplicateBound)})`,
      ...brokers.map((broker) => slowest(runs.filter((run) => run.broker === broker))),
    ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** From the end of the fault to the next result, in the slowest run. */
function slowest(runs: readonly FaultReport[]): string {
  if (runs.length === 0) return '–';
  const longestMs = Math.max(...runs.map(({ recoveryMs = Infinity }) => recoveryMs));
  return `${(longestMs / 1000).toFixed(2)} s`;
}

function groupedBy(reports: readonly FaultReport[], key: (report: FaultReport) => string): FaultReport[][] {
  const groups = new Map<string, FaultReport[]>();
  for (const report of reports) groups.set(key(report), [...(groups.get(key(report)) ?? []), report]);
  return [...groups.values()];
}

function sum(runs: readonly FaultReport[], figure: (run: FaultReport) => number): number {
  return runs.reduce((total, run) => total + figure(run), 0);
}

const file = `${PROJECT_FOLDER}test/faults/results/faults.jsonl`;
if (existsSync(file)) {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  console.log(faultTable(lines.map((line) => JSON.parse(line) as FaultReport)));
} else {
  console.error('There are no results yet; `npm run faults` makes some.');
  process.exitCode = 1;
}
