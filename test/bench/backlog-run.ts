import { setTimeout as delay } from 'node:timers/promises';
import { ContestantProcess } from './contestant.process.js';
import { Queues } from './queues.js';
import { Workload } from './workload.js';

const SAMPLE_MS = 50;
/** The first part of a run warms up the contestant, and is not measured. */
const WARM_UP_SHARE = 0.25;
const STANDSTILL_MS = 60_000;

export interface BacklogRun {
  readonly messages: number;
  readonly perSecond: number;
  /** User and system time of the worker's process, in µs. */
  readonly cpuUsPerMessage: number;
  readonly peakRssBytes: number;
  readonly meanBatch: number;
  readonly readyMs: number;
}

/**
 * Lets workers work off messages that wait, and measures between the first quarter and the end.
 *
 * @param start starts a worker on these queues
 * @param answers false for a contestant that answers nothing
 * @throws Error when an answer is wrong, missing or doubled, or the worker ends or stands still
 */
export async function runBacklog(
  url: string,
  workload: Workload,
  messages: number,
  start: (queues: Queues) => ContestantProcess[],
  answers = true,
): Promise<BacklogRun> {
  const queues = await Queues.open(url, `onnxmq-bench-${process.pid}-${Date.now()}`);
  let workers: ContestantProcess[] = [];
  try {
    await queues.publish(workload, messages);
    workers = start(queues);
    const died = Promise.race(workers.map((worker) => worker.ended()));
    died.catch(() => {}); // each ends in any case, after the run
    await Promise.race([Promise.all(workers.map((worker) => worker.consuming())), died]);
    const done = async () => (answers ? queues.answers() : messages - (await queues.waitingRequests()));
    const { first, last } = await Promise.race([measure(done, workers, messages), died]);
    const peakRssBytes = Math.max(...workers.map((worker) => worker.peakRssBytes));
    await Promise.all(workers.map((worker) => worker.stop()));
    if (answers) await queues.checkAnswers(workload, messages);
    const count = last.done - first.done;
    return {
      messages,
      perSecond: (count / (last.at - first.at)) * 1000,
      cpuUsPerMessage: (last.cpuUs - first.cpuUs) / count,
      peakRssBytes,
      meanBatch: sum(workers, 'rows') / sum(workers, 'batches'),
      readyMs: Math.max(...workers.map(({ readyMs }) => readyMs)),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
    await queues.close();
  }
}

interface Sample {
  readonly at: number;
  readonly done: number;
  readonly cpuUs: number;
}

async function measure(
  done: () => Promise<number>,
  workers: readonly ContestantProcess[],
  messages: number,
): Promise<{ first: Sample; last: Sample }> {
  let first: Sample | undefined;
  let last: Sample | undefined;
  let movedAt = performance.now();
  for (;;) {
    const sample = { done: await done(), at: performance.now(), cpuUs: sum(workers, 'cpuUs') };
    if (sample.done !== last?.done) movedAt = sample.at;
    if (sample.at - movedAt > STANDSTILL_MS)
      throw new Error(`it stands still at ${sample.done} of ${messages}`);
    if (sample.done >= messages * WARM_UP_SHARE) first ??= sample;
    // The last sample in which it was at work all the time.
    if (sample.done >= messages && first && last && last.done > first.done) return { first, last };
    if (sample.done >= messages) throw new Error(`${messages} messages are too few to measure`);
    last = sample;
    await delay(SAMPLE_MS);
  }
}

function sum(workers: readonly ContestantProcess[], figure: 'cpuUs' | 'rows' | 'batches'): number {
  return workers.reduce((total, worker) => total + worker[figure], 0);
}
