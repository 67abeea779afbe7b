import { setTimeout as delay } from 'node:timers/promises';
import { Figures } from '../figures.js';
import { Job, Rig, Run } from '../rig.js';
import { costOf, Sample } from './backlog-run.js';

const SAMPLE_MS = 50;
const WARM_UP_SHARE = 0.25;
const STANDSTILL_MS = 60_000;

/**
 * Two workers at once on one processor, each with a backlog of its own. What disturbs the machine disturbs both, so their
 * ratio holds where figures taken one after the other do not. Measured from when each has done a quarter until the last
 * look before one is done.
 *
 * @throws Error when an answer is wrong, missing or doubled, or a worker ends or stands still
 */
export function runSideBySide(rig: Rig, job: Job, other: Job, messages: number): Promise<Figures> {
  return rig.perform(job, (run) =>
    rig.perform(other, async (otherRun) => {
      const runs = [run, otherRun] as const;
      for (const { queues } of runs) await queues.publish(job.workload, 0, messages);
      await Promise.all(runs.map((one) => one.start()));
      const [first, last] = await measure(runs, messages);
      const { peakRssMb } = run;
      await Promise.all(runs.map((one) => one.stop()));
      for (const { queues } of runs) await queues.checkAnswers(job.workload, messages);
      const [{ cpuUs = NaN }, { cpuUs: otherCpuUs = NaN }] = [
        costOf(first[0], last[0]),
        costOf(first[1], last[1]),
      ];
      return { cpuUs, otherCpuUs, cpuRatio: cpuUs / otherCpuUs, peakRssMb };
    }),
  );
}

type Pair = readonly [Sample, Sample];

/** Returns when both are done. */
async function measure(runs: readonly [Run, Run], messages: number): Promise<readonly [Pair, Pair]> {
  const deadline = () => performance.now() + STANDSTILL_MS;
  let first: Pair | undefined;
  let last: Pair | undefined;
  let isOneDone = false;
  let [done, giveUpAt] = [0, deadline()];
  for (;;) {
    const pair = (await Promise.all(runs.map(sampleOf))) as unknown as Pair;
    const [least = 0, most = 0] = pair.map((sample) => sample.done).toSorted((a, b) => a - b);
    if (least + most > done) [done, giveUpAt] = [least + most, deadline()];
    if (performance.now() > giveUpAt) throw new Error(`they stand still at ${done} of ${2 * messages}`);
    isOneDone ||= most >= messages;
    if (least >= messages * WARM_UP_SHARE && !isOneDone) {
      first ??= pair;
      last = pair;
    }
    if (least >= messages) {
      if (!first || !last || first === last)
        throw new Error('it was over between two looks; take more messages');
      return [first, last];
    }
    await delay(SAMPLE_MS);
  }
}

async function sampleOf(run: Run): Promise<Sample> {
  return { done: await run.queues.answers(), at: performance.now(), cpuUs: run.cpuUs };
}
