import { Contestant, ONNXMQ } from '../contestants.js';
import { Figures } from '../figures.js';
import { Effort, Step } from '../plan.js';
import { Job, Rig } from '../rig.js';
import { runSideBySide } from '../runs/side-by-side-run.js';
import { Workload } from '../workload.js';
import { COMPARED_IO_MS } from './comparison.suite.js';

export const SIDE_BY_SIDE = 'side-by-side';
/** For each of the two: a tick of 10 ms is then less than a percent of what is measured, unless it is to be quick. */
const SHARE = 2.5;
/** The other may declare its queues otherwise; it has to take those that are there. */
const AS_THEY_ARE = { TOPOLOGY: 'check' };

/** This build and another one at once; in every other round, the other is the first to start. */
export function sideBySideSteps(
  folder: string,
  digits: Workload,
  { messages }: Effort,
  round: number,
): Omit<Step, 'round'>[] {
  const other: Contestant = { ...ONNXMQ, folder };
  return COMPARED_IO_MS.map((ioDelayMs) => {
    const job: Job = { contestant: ONNXMQ, workload: digits, ioDelayMs, settings: AS_THEY_ARE };
    const jobs = [job, { ...job, contestant: other }];
    return {
      suite: SIDE_BY_SIDE,
      subject: ONNXMQ.name,
      x: ioDelayMs,
      measure: async (rig: Rig): Promise<Figures> => {
        const isTurned = round % 2 === 1;
        const costs = await runSideBySide(rig, isTurned ? jobs.toReversed() : jobs, messages * SHARE);
        const [cpuUs = NaN, otherCpuUs = NaN] = isTurned ? costs.toReversed() : costs;
        return { cpuUs, otherCpuUs, cpuRatio: cpuUs / otherCpuUs };
      },
    };
  });
}
