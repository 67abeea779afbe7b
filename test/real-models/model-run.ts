import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WorkerProcess } from '../../src/cli/worker-process.js';
import { binaryBody, binaryInput } from '../support/binary-body.js';
import { BrokerClient, Letter } from '../support/broker-client.js';
import { outputsOf } from './answers.js';
import { maxDifference } from './difference.js';
import { Exchange, readRecording } from './recording.js';

const PATIENCE_MS = 120_000;

/** What came of the requests to one model. */
export interface ModelRun {
  readonly requests: number;
  /** Runs of the model that it took: fewer than requests where some shared one. */
  readonly runs: number;
  /** Of the answers that are right in their shapes. */
  readonly maxDifference: number;
  /** From the first request to the last answer. */
  readonly seconds: number;
  /** What is wrong, one for each answer that is. */
  readonly problems: readonly string[];
}

export interface PlayOptions {
  /** How often all requests are sent. */
  readonly rounds: number;
  /** The largest difference that is right. */
  readonly tolerance: number;
  readonly signal: AbortSignal;
}

/**
 * Sends all recorded requests at once to a worker of its own, and compares the answers. Worker and queues are gone afterwards.
 *
 * @param folder where record.py has written about the model
 * @throws Error when the worker does not start, ends, or answers too late
 */
export async function playModel(folder: string, url: string, options: PlayOptions): Promise<ModelRun> {
  const exchanges = readRecording(folder);
  const queue = `onnxmq-real-models-${randomUUID()}`;
  const client = await BrokerClient.open(url);
  const worker = new WorkerProcess({
    RABBITMQ_URL: url,
    REQUEST_QUEUE: queue,
    MODELS_DIR: folder,
    RETRY_DELAYS_MS: 'none',
  });
  try {
    await inTime(worker.consuming(), 'is not served', options.signal);
    const startedAt = performance.now();
    const answers: Letter[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      const work = askAll(client, queue, round, exchanges);
      answers.push(
        ...(await inTime(Promise.race([work, ended(worker)]), 'does not answer all', options.signal)),
      );
    }
    const seconds = (performance.now() - startedAt) / 1000;
    await worker.stop();
    const runs = worker.logs.reduce((sum, line) => sum + Number(line['batches'] ?? 0), 0);
    return { requests: answers.length, runs, seconds, ...judge(answers, exchanges, options.tolerance) };
  } finally {
    await worker.stop('SIGKILL');
    await client.close(queue, `${queue}.dead`);
  }
}

async function askAll(client: BrokerClient, queue: string, round: number, exchanges: readonly Exchange[]) {
  await Promise.all(exchanges.map((exchange, index) => send(client, queue, `${round}/${index}`, exchange)));
  return Promise.all(exchanges.map((_, index) => client.replies.answerTo(`${round}/${index}`)));
}

/** @param answers of all rounds, in the order of the requests */
function judge(answers: readonly Letter[], exchanges: readonly Exchange[], tolerance: number) {
  let most = 0;
  const problems: string[] = [];
  for (const [index, answer] of answers.entries()) {
    const request = index % exchanges.length;
    const difference = compare(answer, exchanges[request] as Exchange);
    if (typeof difference === 'string') problems.push(`request ${request}: ${difference}`);
    else if (difference > tolerance)
      problems.push(`request ${request}: differs by ${difference.toPrecision(2)}`);
    if (typeof difference === 'number') most = Math.max(most, difference);
  }
  return { maxDifference: most, problems };
}

async function send(client: BrokerClient, queue: string, id: string, { inputs }: Exchange): Promise<void> {
  const headers = inputs.map(({ name, datatype, shape, bytes }) => binaryInput(name, datatype, shape, bytes));
  const { content, options } = binaryBody(
    { id, inputs: headers, parameters: { binary_data_output: true } },
    ...inputs.map(({ bytes }) => bytes),
  );
  await client.send(queue, content, { ...options, correlationId: id });
}

/** The largest difference, or what is wrong altogether. */
function compare(answer: Letter, { outputs }: Exchange): number | string {
  try {
    return maxDifference(outputsOf(answer), outputs);
  } catch (error) {
    return (error as Error).message;
  }
}

async function ended(worker: WorkerProcess): Promise<never> {
  const code = await worker.ended();
  throw new Error(`the worker ended with exit code ${code}: ${worker.errors || worker.logs.at(-1)?.msg}`);
}

async function inTime<T>(work: Promise<T>, problem: string, signal: AbortSignal): Promise<T> {
  const over = new AbortController();
  const late = delay(PATIENCE_MS, undefined, { signal: AbortSignal.any([over.signal, signal]) }).then(() => {
    throw new Error(`${problem} within ${PATIENCE_MS / 1000} s`);
  });
  late.catch(() => {}); // nobody may wait for it any more
  work.catch(() => {}); // likewise
  return Promise.race([work, late]).finally(() => over.abort());
}
