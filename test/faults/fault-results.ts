import { appendFileSync, mkdirSync } from 'node:fs';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { FaultReport } from './run-fault.js';

const FOLDER = `${PROJECT_FOLDER}test/faults/results`;

/** Keeps the report of a run, as a line of JSON. */
export function keepReport(report: FaultReport): void {
  mkdirSync(FOLDER, { recursive: true });
  appendFileSync(
    `${FOLDER}/faults.jsonl`,
    `${JSON.stringify({ at: new Date().toISOString(), ...report })}\n`,
  );
}

/** A run in one line. */
export function lineOf({ fault, name, broker, seed, counts, broken, ...report }: FaultReport): string {
  const recovery = report.recoveryMs === undefined ? 'no recovery' : `recovered in ${ms(report.recoveryMs)}`;
  const ready = report.readyMs === undefined ? 'not ready again' : `ready in ${ms(report.readyMs)}`;
  const { attempt, acknowledged, ok, error, dead, lost, duplicated, recovered, unexpected, refused } = counts;
  const figures = Object.entries(report.figures).map(([figure, value]) => `${figure} ${Math.round(value)}`);
  return [
    `${fault} ${name}`,
    `RabbitMQ ${broker}`,
    `attempt ${attempt}, acknowledged ${acknowledged}, refused ${refused}, ok ${ok}, error ${error}, dead ${dead}, lost ${lost}, ` +
      `duplicated ${duplicated} (at most ${report.duplicateBound}), recovered ${recovered}, unexpected ${unexpected}`,
    `${report.inHand} in hand, fault ${ms(report.faultMs)}, ${recovery}, ${ready}, drained in ${ms(report.drainMs)}, ${report.peakRssMb.toFixed(0)} MB`,
    ...figures,
    `seed ${seed}`,
    ...broken,
  ].join('; ');
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
