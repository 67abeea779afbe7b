import { readFileSync } from 'node:fs';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { FaultReport } from './run-fault.js';

/** What is known of all runs of a fault on one version of the broker. */
interface Row {
  readonly fault: number;
  readonly name: string;
  readonly broker: string;
  readonly runs: readonly FaultReport[];
}

/** The runs in `npm run faults`' results as a Markdown table, one row for each fault and version of the broker. */
export function faultTable(reports: readonly FaultReport[]): string {
  const head = [
    ['fault', 'RabbitMQ', 'runs', 'requests', 'with a result', 'dead, rightly', 'lost', 'innocents dead'],
    ['answered twice (bound)', 'recovery: median, longest'],
  ].flat();
  const rows = rowsOf(reports).map(({ fault, name, broker, runs }) => [
    `${fault}: ${name}`,
    broker,
    runs.length,
    sum(runs, ({ counts }) => counts.attempt),
    sum(runs, ({ counts }) => counts.ok),
    sum(runs, ({ counts }) => counts.dead - counts.innocents),
    sum(runs, ({ counts }) => counts.lost),
    sum(runs, ({ counts }) => counts.innocents),
    `${sum(runs, ({ counts }) => counts.duplicated)} (${sum(runs, (run) => run.duplicateBound)})`,
    recovery(runs),
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function rowsOf(reports: readonly FaultReport[]): Row[] {
  const byFault = new Map<string, FaultReport[]>();
  for (const report of reports) {
    const key = `${report.fault} ${report.broker} ${report.name}`;
    byFault.set(key, [...(byFault.get(key) ?? []), report]);
  }
  return [...byFault.values()]
    .map((runs) => ({ ...(runs[0] as FaultReport), runs }))
    .toSorted(
      (a, b) => a.fault - b.fault || a.name.localeCompare(b.name) || a.broker.localeCompare(b.broker),
    );
}

function recovery(runs: readonly FaultReport[]): string {
  const times = runs.map(({ recoveryMs = Infinity }) => recoveryMs).toSorted((a, b) => a - b);
  const seconds = (ms: number | undefined = NaN) => `${(ms / 1000).toFixed(2)} s`;
  return `${seconds(times[times.length >> 1])}, ${seconds(times.at(-1))}`;
}

function sum(runs: readonly FaultReport[], figure: (run: FaultReport) => number): number {
  return runs.reduce((total, run) => total + figure(run), 0);
}

const lines = readFileSync(`${PROJECT_FOLDER}test/faults/results/faults.jsonl`, 'utf8').trim().split('\n');
console.log(faultTable(lines.map((line) => JSON.parse(line) as FaultReport)));
