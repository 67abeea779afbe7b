import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WorkerProcess } from '../src/cli/worker-process.js';
import { PROJECT_FOLDER, readTestSet } from '../src/cli/test-set.js';
import { BROKER_URL } from './support/broker-client.js';
import { AS_PROCESS_ONE, childOf, handlesSignals, signal, whyNoProcessOne } from './support/process-one.js';
import { Stage } from './support/stage.js';

const NO_BROKER = 'amqp://guest:guest@127.0.0.1:1';
const { images } = readTestSet();

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.clear());

/** Starts a worker as process 1. */
function launch(env: Readonly<Record<string, string>>): WorkerProcess {
  const worker = new WorkerProcess(
    { RABBITMQ_URL: BROKER_URL, REQUEST_QUEUE: stage.queue, RETRY_DELAYS_MS: 'none', ...env },
    AS_PROCESS_ONE,
  );
  stage.atEnd(() => worker.stop('SIGKILL'));
  return worker;
}

async function end(worker: WorkerProcess, ...signals: readonly NodeJS.Signals[]): Promise<number | null> {
  const pid = await childOf(worker.pid);
  for (const name of signals) signal(pid, name);
  return worker.ended();
}

const describeOrSkip = whyNoProcessOne ? describe.skip : describe;
if (whyNoProcessOne) process.stdout.write(`the worker as process 1: ${whyNoProcessOne}\n`);

// The kernel drops what process 1 does not handle, so that these would end any other process anyhow.
describeOrSkip('the worker as process 1 of a container ends with exit code 0', () => {
  // What of its start falls on which moment nobody sees: so many moments are tried.
  const DELAYS_MS = [0, 10, 30, 50, 75, 100, 150, 200, 250, 300, 350, 400, 450, 500, 700];

  it.each(DELAYS_MS)('when SIGTERM comes %d ms after Node has started', async (delayMs) => {
    const worker = launch({ RABBITMQ_URL: NO_BROKER });
    await handlesSignals(await childOf(worker.pid));
    await delay(delayMs);
    expect(await end(worker, 'SIGTERM')).toBe(0);
  });

  it.each([20, 100, 300, 500])('when SIGINT comes %d ms after Node has started', async (delayMs) => {
    const worker = launch({ RABBITMQ_URL: NO_BROKER });
    await handlesSignals(await childOf(worker.pid));
    await delay(delayMs);
    expect(await end(worker, 'SIGINT')).toBe(0);
  });

  it.each([20, 100, 300, 500])('when SIGTERM comes twice %d ms after Node has started', async (delayMs) => {
    const worker = launch({ RABBITMQ_URL: NO_BROKER });
    await handlesSignals(await childOf(worker.pid));
    await delay(delayMs);
    expect(await end(worker, 'SIGTERM', 'SIGTERM')).toBe(0);
  });

  it.each(['0', '2'])(
    'at SIGTERM while it loads models and warms them up with INFERENCE_THREADS=%s',
    async (threads) => {
      const worker = launch({ MODELS_DIR: 'test/support/slow-models', INFERENCE_THREADS: threads });
      await worker.httpUrl();
      expect(await end(worker, 'SIGTERM')).toBe(0);
      expect(worker.logs.some(({ msg }) => msg.startsWith('consuming'))).toBe(false);
    },
  );

  it('at SIGTERM while it waits for a broker', async () => {
    const worker = launch({ RABBITMQ_URL: NO_BROKER });
    await worker.log(({ msg }) => msg.includes('waiting for RabbitMQ'));
    expect(await end(worker, 'SIGTERM')).toBe(0);
  });

  it('at SIGTERM while it waits for a broker that takes its connections and says nothing', async () => {
    const server = createServer((socket) => socket.resume().on('error', () => {})).listen(0, '127.0.0.1');
    await once(server, 'listening');
    stage.atEnd(() => once(server.close(), 'close'));
    const connected = once(server, 'connection');
    const worker = launch({
      RABBITMQ_URL: `amqp://guest:guest@127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    await connected;
    expect(await end(worker, 'SIGTERM')).toBe(0);
  });

  it('at SIGTERM when it consumes, in order: what is in hand is answered first', async () => {
    const worker = launch({ PREPROCESS_IO_DELAY_MS: '300' });
    await worker.consuming();
    const client = await stage.client();
    const dead = await client.collect(stage.deadLetters);
    const answer = client.ask(stage.queue, { data: images[0] });
    await client.depth(stage.queue);
    expect(await end(worker, 'SIGTERM', 'SIGTERM')).toBe(0);
    expect(worker.logs.filter(({ msg }) => msg.startsWith('draining'))).toHaveLength(1);
    expect(worker.logs.at(-1)?.msg).toBe('drained and closed');
    const second = await stage.worker(); // answers what had not reached the first one
    expect((await answer).properties.type).toBe('inference.result');
    expect(dead.letters).toEqual([]);
    expect(await second.stop()).toBe(0);
  });
});

describeOrSkip('the worker as process 1 of a container', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'onnxmq-test-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('ends at once when an inference thread has died, though its own SIGKILL does not reach it', async () => {
    const hook = pathToFileURL(join(PROJECT_FOLDER, 'test/support/hooks/dying-thread.mjs')).href;
    const death = join(folder, 'death');
    const worker = launch({
      INFERENCE_THREADS: '1',
      NODE_OPTIONS: `--import=${hook}`,
      DEATH_FILE: death,
    });
    await worker.consuming();
    await writeFile(death, '');
    await worker.log(({ level }) => level === 'error');
    expect(await worker.ended()).not.toBe(0);
  });
});
