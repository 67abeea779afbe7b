import { ONNXMQ } from '../contestants.js';
import { Effort, pointsOf, Step } from '../plan.js';
import { runBacklog } from '../runs/backlog-run.js';
import { Workload } from '../workload.js';

export const IO_WAIT = 'io-wait';
export const CONCURRENCY = 'concurrency';
export const BODY = 'body';

const IO_WAITS_MS = [0, 10, 50, 200];
const CONCURRENCIES = [1, 10, 64, 250, 1000, 2000];
const CONCURRENCY_IO_MS = 50;
/** From a handful of features to an image of 224 × 224 × 3. */
export const BODY_FLOATS = [64, 512, 4096, 150_528];
/** Bodies in hand, as JSON: the worker has 512 MB, and a decoded body takes twice its JSON. */
const MAX_IN_HAND_BYTES = 32 * 1024 * 1024;
const MAX_RUN_BYTES = 128 * 1024 * 1024;
const MAX_PREFETCH = 2000;

/** Throughput and cost by I/O wait, the default settings finding the concurrency. */
export function ioWaitSteps(digits: Workload, effort: Effort): Omit<Step, 'round'>[] {
  return pointsOf(IO_WAITS_MS, effort).map((ioDelayMs) => ({
    suite: IO_WAIT,
    subject: ONNXMQ.name,
    x: ioDelayMs,
    measure: (rig) => runBacklog(rig, { contestant: ONNXMQ, workload: digits, ioDelayMs }, effort.messages),
  }));
}

/** The same by messages at once, which is also the prefetch. */
export function concurrencySteps(digits: Workload, effort: Effort): Omit<Step, 'round'>[] {
  return pointsOf(CONCURRENCIES, effort).map((concurrency) => {
    const perSecond = (concurrency * 1000) / CONCURRENCY_IO_MS;
    const messages = Math.ceil(Math.min(effort.messages, perSecond * effort.seconds));
    const job = {
      contestant: ONNXMQ,
      workload: digits,
      ioDelayMs: CONCURRENCY_IO_MS,
      settings: inHand(concurrency),
    };
    return {
      suite: CONCURRENCY,
      subject: ONNXMQ.name,
      x: concurrency,
      measure: (rig) => runBacklog(rig, job, messages),
    };
  });
}

/** Throughput and cost by size of a row, with a model that hardly computes. */
export function bodySteps(means: readonly Workload[], effort: Effort): Omit<Step, 'round'>[] {
  return pointsOf(means, effort).map((workload) => {
    const bytes = workload.request(0).content.length;
    const prefetch = Math.min(MAX_PREFETCH, Math.ceil(MAX_IN_HAND_BYTES / bytes));
    const messages = Math.ceil(Math.min(effort.messages, MAX_RUN_BYTES / bytes));
    const job = { contestant: ONNXMQ, workload, ioDelayMs: 0, settings: inHand(prefetch) };
    return {
      suite: BODY,
      subject: ONNXMQ.name,
      x: workload.width,
      measure: (rig) => runBacklog(rig, job, messages),
    };
  });
}

function inHand(concurrency: number): Record<string, string> {
  return {
    CONCURRENCY: String(concurrency),
    PREFETCH: String(concurrency),
    BATCH_MAX_SIZE: String(Math.min(64, concurrency)),
  };
}
