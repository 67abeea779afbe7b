import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FaultLab } from '../../faults/fault-lab.js';
import { ChaosOutcome } from '../chaos-run.js';
import { ChaosAbout, reportOf } from './chaos-report.js';
import { htmlReport } from './html.js';

/** Writes chaos.json and chaos.html, and, where a promise was broken, what the workers have logged: chaos.log. */
export function writeReport(folder: string, lab: FaultLab, outcome: ChaosOutcome, about: ChaosAbout): void {
  const report = reportOf(lab, outcome, about);
  const files = { json: join(folder, 'chaos.json'), html: join(folder, 'chaos.html') };
  mkdirSync(folder, { recursive: true });
  writeFileSync(files.json, `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(files.html, htmlReport(report));
  if (report.broken.length > 0) writeFileSync(join(folder, 'chaos.log'), workerLogs(lab));
  process.stderr.write(`  again: ${report.command}\n  ${files.json} ${files.html}\n`);
}

function workerLogs({ supervisors }: FaultLab): string {
  const lines = supervisors.flatMap(({ logs }, index) =>
    logs.map((line) => JSON.stringify({ worker: index + 1, ...line })),
  );
  return `${lines.join('\n')}\n`;
}
