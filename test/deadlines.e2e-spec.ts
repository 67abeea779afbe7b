import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Options } from 'amqplib';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { BegunTasks } from '../src/models/begun-tasks.js';
import { processNow } from '../src/models/inference-thread.js';
import { type BrokerClient, type Inbox, type Letter } from './support/broker-client.js';
import { untilInHand } from './support/probes.js';
import { Stage } from './support/stage.js';

/** Long enough to arrive anywhere in the worker, and over long before what takes long. */
const DEADLINE_MS = 250;
/** A model that takes no time for a short row, and a second for a row of that length. */
const STEEP = {
  MODELS_DIR: 'test/support/steep-models',
  PREPROCESS_IO_DELAY_MS: '0',
  INFERENCE_THREADS: '1',
};
const LONG = 2500;

/** The ways to give a request so many ms. */
const FORMS = [
  ['expiration', (ms: number) => [{}, { expiration: String(ms) }]],
  ['parameters.timeout', (ms: number) => [{ parameters: { timeout: ms * 1000 } }, {}]],
  ['x-deadline', (ms: number) => [{}, { headers: { 'x-deadline': Date.now() + ms } }]],
] as const satisfies [string, (ms: number) => [body: object, options: Options.Publish]][];

let stage: Stage;
let client: BrokerClient;
let dead: Inbox;

beforeEach(async () => {
  stage = new Stage();
  client = await stage.client();
});

afterEach(() => stage.clear());

describe.each(FORMS)(
  'a request whose deadline (%s) passes is answered at once, and never inferred,',
  (_, form) => {
    it('while it waits for its turn', async () => {
      const worker = await start({
        PREPROCESS_IO_DELAY_MS: '1000',
        CONCURRENCY: '1',
        PREFETCH: '10',
        BATCH_MAX_SIZE: '1',
      });
      const ahead = await sendAhead(worker, [2]);
      await expectLateFirst(worker, 'while it waited for its turn', ahead);
    });

    it('in the I/O wait of preprocessing', async () => {
      const worker = await start({ PREPROCESS_IO_DELAY_MS: '1000' });
      const ahead = await sendAhead(worker, [2]);
      await expectLateFirst(worker, 'in preprocessing', ahead);
    });

    it('while it waits for a batch', async () => {
      const worker = await start();
      // Of two lengths, and so two batches: the thread runs one and has the other in its inbox.
      const ahead = await sendAhead(worker, [LONG, LONG + 1]);
      await expectLateFirst(worker, 'while it waited for a batch', ahead);
    });

    it('while its batch waits for a thread', async () => {
      // With a wait in which the three that follow gather into one batch.
      const worker = await start({ PREPROCESS_IO_DELAY_MS: '20', BATCH_MAX_WAIT_MS: '100' });
      const ahead = await sendAhead(worker, [LONG]);
      await expectLateFirst(worker, 'while its batch waited', ahead);
    });

    it('while it waits for batches on the event loop', async () => {
      const worker = await start({ MODELS_DIR: 'test/support/slow-models', INFERENCE_THREADS: '0' });
      const [rows, sum] = [100, 7];
      await client.send(
        stage.queue,
        { inputs: [{ name: 'x', shape: [rows, 1], datatype: 'FP32', data: Array<number>(rows).fill(sum) }] },
        { correlationId: 'ahead' },
      );
      await untilInHand(worker, 1);
      await sendLate([9]);
      const [first] = await client.replies.received(2);
      expectLate(first, 'while it waited for a batch');
      expect(await rowsInferred(worker)).toBe(rows);
    });

    /** Starts a worker that serves the steep model unless told otherwise. */
    async function start(env: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
      const worker = await stage.worker({ ...STEEP, ...env });
      dead = await client.collect(stage.deadLetters);
      return worker;
    }

    async function sendLate(data: number[]): Promise<void> {
      const [body, options] = form(DEADLINE_MS);
      await client.send(stage.queue, { data, ...body }, { ...options, correlationId: 'late' });
    }

    /**
     * Sends the request with the deadline among others without, after what is ahead of it, and expects its answer before
     * theirs: nobody else's takes as short as its deadline.
     */
    async function expectLateFirst(worker: WorkerProcess, where: string, ahead: Asked[]): Promise<void> {
      const neighbours = [ask('before it', row(2)), ask('after it', row(2))] as const;
      await Promise.all([send(neighbours[0]), sendLate(row(2)), send(neighbours[1])]);
      const others = [...ahead, ...neighbours];
      const answers = await client.replies.received(1 + others.length);
      expectLate(answers[0], where);
      for (const { name, data } of others) expect(sumIn(answers, name)).toBe(data.reduce((a, b) => a + b));
      expect(answers).toHaveLength(1 + others.length);
      expect((await dead.received(1))[0]?.headers).toMatchObject({ 'x-error-code': 'DEADLINE_EXCEEDED' });
      expect(await rowsInferred(worker)).toBe(others.length);
    }
  },
);

describe('a request with a deadline that it keeps', () => {
  it.each(FORMS)('is answered with its result: %s', async (_, form) => {
    await stage.worker({ ...STEEP, PREPROCESS_IO_DELAY_MS: '20' });
    const [body, options] = form(30_000);
    const data = row(5);
    const answer = await client.ask(stage.queue, { data, ...body }, options);
    expect(answer.body['outputs']).toMatchObject([{ data: [data.reduce((a, b) => a + b)] }]);
  });

  it('is answered with its result even if the deadline passes in the run', async () => {
    const worker = await stage.worker(STEEP);
    const answer = await client.ask(stage.queue, { data: row(LONG) }, { expiration: String(DEADLINE_MS) });
    expect(answer.properties.type).toBe('inference.result');
    expect(await rowsInferred(worker)).toBe(1);
  });
});

it('a thread does not begin a batch whose deadline has passed in its inbox, and says so', async () => {
  const begun = new BegunTasks();
  const thread = new Worker('./dist/models/inference-thread.main.js', { workerData: begun.memory });
  stage.atEnd(() => thread.terminate());
  const post = (request: object) => thread.postMessage(request, []);
  const file = {
    name: 'steep',
    version: '1',
    path: 'test/support/steep-models/steep/model.onnx',
    config: { batching: {}, preprocess: {} },
  };
  const batch = { tensors: [Float32Array.from(row(LONG))], dims: [[1, LONG]] };
  const run = { task: 'run', model: 'steep', batch };
  post({ id: 1, task: 'load', file, maxBatchSize: 1 });
  await once(thread, 'message');
  post({ id: 2, ...run });
  post({ id: 3, ...run, deadline: processNow() + 1 });
  post({ id: 4, ...run, deadline: processNow() + 60_000 });
  expect(begun.includes(3)).toBe(false);
  const answers: unknown[] = [];
  thread.on('message', (answer) => answers.push(answer));
  while (answers.length < 3) await once(thread, 'message');
  expect(answers).toEqual([
    { id: 2, value: expect.anything() },
    { id: 3, isLate: true },
    { id: 4, value: expect.anything() },
  ]);
  expect([begun.includes(4), begun.includes(5)]).toEqual([true, false]);
});

interface Asked {
  readonly name: string;
  readonly data: number[];
}

const ask = (name: string, data: number[]): Asked => ({ name, data });

function row(length: number): number[] {
  const data = Array<number>(length).fill(0);
  data[0] = Math.floor(Math.random() * 1000);
  return data;
}

function send({ name, data }: Asked): Promise<void> {
  return client.send(stage.queue, { data }, { correlationId: name });
}

/** Sends a row of each length, and waits until the worker has them. */
async function sendAhead(worker: WorkerProcess, lengths: readonly number[]): Promise<Asked[]> {
  const ahead = lengths.map((length, index) => ask(`ahead ${index}`, row(length)));
  for (const one of ahead) await send(one);
  await untilInHand(worker, ahead.length);
  return ahead;
}

function expectLate(answer: Letter | undefined, where: string): void {
  expect(answer?.properties.correlationId).toBe('late');
  expect(answer?.body).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  expect(answer?.body['error']).toContain(where);
}

function sumIn(answers: readonly Letter[], name: string): unknown {
  const answer = answers.find(({ properties }) => properties.correlationId === name);
  const [output] = (answer?.body['outputs'] ?? []) as { data: number[] }[];
  return output?.data[0];
}

/** Ends the worker in order, and gives how many rows it has inferred by its own account. */
async function rowsInferred(worker: WorkerProcess): Promise<number> {
  await untilInHand(worker, 0);
  expect(await worker.stop()).toBe(0);
  const traffic = worker.logs.filter(({ context }) => context === 'Traffic');
  return traffic.reduce((sum, line) => sum + Number(line['rows']), 0);
}
