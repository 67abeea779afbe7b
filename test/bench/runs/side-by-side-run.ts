import { setTimeout as delay } from 'node:timers/promises';
import { Job, Rig, Run } from '../rig.js';
import { costOf, Sample, sampleOf } from './backlog-run.js';

const SAMPLE_MS = 50;
const WARM_UP_SHARE = 0.25;
/** Of its messages, each is to do so many in what is measured. */
const LEAST_SHARE = 0.1;
const STANDSTILL_MS = 60_000;

/**
 * Workers at once on one processor, each with a backlog of its own. What disturbs the machine disturbs all, so their ratio
 * holds where figures taken one after the other do not. Measured from when each has done a quarter until the last look
 * before one is done.
 *
 * @returns the CPU of each, in µs a message
 * @throws Error when an answer is wrong, missing or doubled, or a worker ends or stands still
 */
export function runSideBySide(rig: Rig, jobs: readonly Job[], messages: number): Promise<number[]> {
  return rig.performAll(jobs, async (runs) => {
    const { workload } = jobs[0] as Job;
    for (const { queues } of runs) await queues.publish(workload, 0, messages);
    await Promise.all(runs.map((run) => run.start()));
    const costs = await measure(runs, messages);
    await Promise.all(runs.map((run) => run.stop()));
    for (const { queues } of runs) await queues.checkAnswers(workload, messages);
    return costs;
  });
}

/** Returns when all are done. */
async function measure(runs: readonly Run[], messages: number): Promise<number[]> {
  let first: Sample[] | undefined;
  let last: Sample[] | undefined;
  let [done, movedAt] = [0, performance.now()];
  for (;;) {
    const samples = await Promise.all(runs.map(sampleOf));
    const counts = samples.map((sample) => sample.done);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total > done) [done, movedAt] = [total, performance.now()];
    if (performance.now() - movedAt > STANDSTILL_MS)
      throw new Error(`they stand still at ${done} of ${runs.length * messages}`);
    if (Math.max(...counts) < messages && Math.min(...counts) >= messages * WARM_UP_SHARE) {
      first ??= samples;
      last = samples;
    }
    if (Math.min(...counts) >= messages) return costsBetween(first ?? [], last ?? [], messages);
    await delay(SAMPLE_MS);
  }
}

function costsBetween(first: readonly Sample[], last: readonly Sample[], messages: number): number[] {
  const isLongEnough = first.every(
    ({ done }, index) => (last[index]?.done ?? 0) - done >= messages * LEAST_SHARE,
  );
  if (first.length === 0 || !isLongEnough)
    throw new Error(
      'one was done before the other had done enough to compare; leave the machine to them, or take more messages',
    );
  return first.map((sample, index) => costOf(sample, last[index] as Sample).cpuUs ?? NaN);
}
