import { setTimeout as delay } from 'node:timers/promises';
import { Said } from '../contestant.process.js';
import { Figures } from '../figures.js';
import { Job, Rig, Run } from '../rig.js';

const SAMPLE_MS = 50;
/** The first part of a run warms up the contestant, and is not measured. */
const WARM_UP_SHARE = 0.25;
const STANDSTILL_MS = 60_000;

/** Where a run stands. */
export interface Sample {
  readonly at: number;
  readonly done: number;
  readonly cpuUs: number;
}

/**
 * Lets workers work off messages that wait, and measures between the first quarter and the end.
 *
 * @throws Error when an answer is wrong, missing or doubled, or the worker ends or stands still
 */
export async function runBacklog(rig: Rig, job: Job, messages: number): Promise<Figures> {
  return (await runBacklogHeard(rig, job, messages)).figures;
}

/** The same, with what the workers said. */
export function runBacklogHeard(
  rig: Rig,
  job: Job,
  messages: number,
): Promise<{ figures: Figures; said: readonly Said[] }> {
  const { workload, contestant } = job;
  return rig.perform(job, async (run) => {
    const { queues } = run;
    await queues.publish(workload, 0, messages);
    await run.start();
    if (job.onStart) run.signal(job.onStart);
    const [first, last] =
      contestant.answers === false
        ? await measure(run, messages, async () => messages - (await queues.waitingRequests()))
        : await measure(run, messages, () => queues.answers());
    const { peakRssMb, readyMs } = run;
    await run.stop();
    if (contestant.answers !== false) await queues.checkAnswers(workload, messages);
    const figures = { ...costOf(first, last), meanBatch: run.meanBatch, peakRssMb, readyMs };
    return { figures, said: run.said };
  });
}

/** Where a run stands whose contestant answers. */
export async function sampleOf(run: Run): Promise<Sample> {
  return { done: await run.queues.answers(), at: performance.now(), cpuUs: run.cpuUs };
}

/** What happened between two samples. */
export function costOf(first: Sample, last: Sample): Figures {
  const count = last.done - first.done;
  return {
    perSecond: (count / (last.at - first.at)) * 1000,
    cpuUs: (last.cpuUs - first.cpuUs) / count,
  };
}

/** @returns the sample after the warm-up, and the last in which it was at work all the time */
async function measure(
  run: Run,
  messages: number,
  countDone: () => Promise<number>,
): Promise<readonly [Sample, Sample]> {
  let first: Sample | undefined;
  let last: Sample | undefined;
  let movedAt = performance.now();
  for (;;) {
    const sample = { done: await countDone(), at: performance.now(), cpuUs: run.cpuUs };
    if (sample.done !== last?.done) movedAt = sample.at;
    if (sample.at - movedAt > STANDSTILL_MS)
      throw new Error(`it stands still at ${sample.done} of ${messages}`);
    if (sample.done >= messages * WARM_UP_SHARE) first ??= sample;
    if (sample.done >= messages) {
      const isLongEnough = first && last && last.done > first.done;
      // Else it was over between two looks, and the figures tell only that it works.
      return isLongEnough
        ? [first as Sample, last as Sample]
        : [{ at: movedAt - SAMPLE_MS, done: 0, cpuUs: 0 }, sample];
    }
    last = sample;
    await delay(SAMPLE_MS);
  }
}
