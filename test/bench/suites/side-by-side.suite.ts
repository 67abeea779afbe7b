import { Contestant, ONNXMQ } from '../contestants.js';
import { Figures } from '../figures.js';
import { Effort, Step } from '../plan.js';
import { Job, Rig } from '../rig.js';
import { runSideBySide } from '../runs/side-by-side-run.js';
import { Workload } from '../workload.js';
import { COMPARED_IO_MS } from './comparison.suite.js';

export const SIDE_BY_SIDE = 'side-by-side';
/** Those that onnxmq is to be cheaper than by a little: one after the other, the machine's noise could decide. */
export const RIVALS = ['hand-written', 'go', 'rust'];
/** For each of the two: a tick of 10 ms is then less than a percent of what is measured. */
const SHARE = 2.5;
/** Another build may declare its queues otherwise; it has to take those that are there. */
const AS_THEY_ARE = { TOPOLOGY: 'check' };

/** onnxmq and each of the others in turn, both at once; in every other round, the other is the first to start. */
export function sideBySideSteps(
  others: readonly Contestant[],
  digits: Workload,
  { messages }: Effort,
  round: number,
): Omit<Step, 'round'>[] {
  return COMPARED_IO_MS.flatMap((ioDelayMs) =>
    others.map((other) => {
      const settings = other.folder ? AS_THEY_ARE : undefined;
      const job: Job = { contestant: ONNXMQ, workload: digits, ioDelayMs, settings };
      const jobs = [job, { ...job, contestant: other }];
      return {
        suite: SIDE_BY_SIDE,
        subject: other.name,
        x: ioDelayMs,
        measure: async (rig: Rig): Promise<Figures> => {
          const isTurned = round % 2 === 1;
          const costs = await runSideBySide(rig, isTurned ? jobs.toReversed() : jobs, messages * SHARE);
          const [cpuUs = NaN, otherCpuUs = NaN] = isTurned ? costs.toReversed() : costs;
          return { otherCpuUs, cpuUs, cpuRatio: cpuUs / otherCpuUs };
        },
      };
    }),
  );
}
