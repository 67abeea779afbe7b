import { setTimeout as delay } from 'node:timers/promises';
import { Figures } from '../figures.js';
import { Job, Rig } from '../rig.js';
import { costOf, Sample, sampleOf } from './backlog-run.js';

const SAMPLE_MS = 10;
const WARM_UP_SHARE = 0.25;
const STANDSTILL_MS = 60_000;

/**
 * What a message costs while about `waiting` others wait: they wait from the start, and are topped up as they are
 * taken. Measured over `messages`, after as much as a quarter of that to warm up.
 */
export function runWithWaiting(rig: Rig, job: Job, waiting: number, messages: number): Promise<Figures> {
  const warmUp = Math.ceil(messages * WARM_UP_SHARE);
  return rig.perform(job, async (run) => {
    const { queues } = run;
    let published = waiting;
    await queues.publish(job.workload, 0, published);
    await run.start();
    const topUp = async (): Promise<Sample> => {
      const missing = waiting - (await queues.waitingRequests());
      // A backlog much longer than the run keeps its length without, and its publishing would load the broker.
      if (missing > 0 && waiting < messages) {
        await queues.publish(job.workload, published, published + missing);
        published += missing;
      }
      return sampleOf(run);
    };
    const first = await until(warmUp, topUp);
    const last = await until(first.done + messages, topUp);
    const { peakRssMb, readyMs } = run;
    await run.stop();
    await queues.checkAnswers(job.workload, await queues.answers());
    return { ...costOf(first, last), meanBatch: run.meanBatch, peakRssMb, readyMs };
  });
}

async function until(done: number, look: () => Promise<Sample>): Promise<Sample> {
  const deadline = performance.now() + STANDSTILL_MS;
  for (;;) {
    const sample = await look();
    if (sample.done >= done) return sample;
    if (performance.now() > deadline) throw new Error(`it stands still at ${sample.done} of ${done}`);
    await delay(SAMPLE_MS);
  }
}
