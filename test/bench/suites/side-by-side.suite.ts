import { Contestant, ONNXMQ } from '../contestants.js';
import { Effort, Step } from '../plan.js';
import { Job } from '../rig.js';
import { runSideBySide } from '../runs/side-by-side-run.js';
import { Workload } from '../workload.js';
import { COMPARED_IO_MS } from './comparison.suite.js';

export const SIDE_BY_SIDE = 'side-by-side';
/** For each of the two: ticks of 10 ms are then half a percent of what is measured. */
const SHARE = 2.5;
/** The other may declare its queues otherwise; it has to take those that are there. */
const AS_THEY_ARE = { TOPOLOGY: 'check' };

/** This build and another one at once. */
export function sideBySideSteps(folder: string, digits: Workload, effort: Effort): Omit<Step, 'round'>[] {
  const other: Contestant = { ...ONNXMQ, name: 'the other', folder };
  return COMPARED_IO_MS.map((ioDelayMs) => {
    const job: Job = { contestant: ONNXMQ, workload: digits, ioDelayMs, settings: AS_THEY_ARE };
    return {
      suite: SIDE_BY_SIDE,
      subject: ONNXMQ.name,
      x: ioDelayMs,
      measure: (rig) =>
        runSideBySide(rig, job, { ...job, contestant: other }, Math.round(effort.messages * SHARE)),
    };
  });
}
