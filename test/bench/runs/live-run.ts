import { setTimeout as delay } from 'node:timers/promises';
import { Figures, spreadOf } from '../figures.js';
import { Job, Rig, Run } from '../rig.js';
import { costOf, Sample } from './backlog-run.js';
import { LiveClient } from './live-client.js';

/** The first part of a run warms up the contestant, and is not measured. */
const WARM_UP_SHARE = 0.25;

/** A constant rate of messages, whether or not answers come: latency counts from when each was to be sent. */
export function runRate(rig: Rig, job: Job, perSecond: number, seconds: number): Promise<Figures> {
  return runLive(rig, job, seconds, (client, until) => sendAtRate(client, perSecond, until));
}

/** A bounded number of messages in flight: each answer sends the next. With 1, an idle round trip. */
export function runClosedLoop(rig: Rig, job: Job, inFlight: number, seconds: number): Promise<Figures> {
  return runLive(rig, job, seconds, async (client, until) => {
    client.onAnswer = () => performance.now() < until && client.send();
    for (let index = 0; index < inFlight; index++) client.send();
    while (performance.now() < until) await delay(20);
  });
}

async function runLive(
  rig: Rig,
  job: Job,
  seconds: number,
  generate: (client: LiveClient, until: number) => Promise<void>,
): Promise<Figures> {
  return rig.perform(job, async (run) => {
    await run.start();
    const client = await LiveClient.open(rig.url, run.queues.requests, job.workload);
    try {
      const startedAt = performance.now();
      let first = sampleOf(run, client);
      let firstSent = 0;
      const warmUp = delay(seconds * 1000 * WARM_UP_SHARE).then(() => {
        first = sampleOf(run, client);
        firstSent = client.sent;
      });
      await generate(client, startedAt + seconds * 1000);
      await warmUp;
      const last = sampleOf(run, client);
      await client.allAnswered();
      client.check();
      const { peakRssMb, readyMs } = run;
      const latency = client.latency(firstSent);
      await run.stop();
      return {
        ...costOf(first, last),
        ...latency,
        workerP50Ms: spreadOf(run.said.map(({ p50Ms }) => Number(p50Ms)).filter((ms) => ms > 0))?.median,
        meanBatch: run.meanBatch,
        peakRssMb,
        readyMs,
      };
    } finally {
      await client.close();
    }
  });
}

async function sendAtRate(client: LiveClient, perSecond: number, until: number): Promise<void> {
  const startedAt = performance.now();
  const dueAt = () => startedAt + (client.sent / perSecond) * 1000;
  for (let now = startedAt; now < until; now = performance.now()) {
    while (dueAt() <= now) client.send(dueAt());
    await delay(1);
  }
}

function sampleOf(run: Run, client: LiveClient): Sample {
  return { at: performance.now(), done: client.answered, cpuUs: run.cpuUs };
}
