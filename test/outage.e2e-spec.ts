import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { type BrokerClient } from './support/broker-client.js';
import { probe, untilProbe } from './support/probes.js';
import { nth, Stage } from './support/stage.js';

const MESSAGES = 300;
/** Two attempts only: without an end of consumption, everything would be dead in a second. */
const RETRY_DELAYS_MS = '100';

describe('when all messages fail for a reason that is not theirs', () => {
  let stage: Stage;
  let client: BrokerClient;
  let worker: WorkerProcess;
  let folder: string;
  let outageFile: string;

  beforeEach(async () => {
    stage = new Stage();
    client = await stage.client();
    folder = mkdtempSync(join(tmpdir(), 'onnxmq-test-'));
    outageFile = join(folder, 'outage');
    worker = await stage.worker({
      MODELS_DIR: 'test/support/models',
      DEFAULT_MODEL: 'lookup',
      RETRY_DELAYS_MS,
      NODE_OPTIONS: '--import ./test/support/hooks/failing-runs.mjs',
      OUTAGE_FILE: outageFile,
    });
    writeFileSync(outageFile, '');
  });

  afterEach(async () => {
    await stage.clear();
    rmSync(folder, { recursive: true });
  });

  const sendAll = () =>
    Promise.all(
      Array.from({ length: MESSAGES }, (_, index) =>
        client.send(
          stage.queue,
          { data: [index % 10] },
          { correlationId: String(index), messageId: `m${index}` },
        ),
      ),
    );

  it('consumption pauses, readiness says why, and once it works again every message is answered', async () => {
    const dead = await client.collect(stage.deadLetters);
    await sendAll();
    await untilProbe(worker, 'ready', 503);
    const { body } = await probe(worker, 'ready');
    expect(body.details['outage']).toMatchObject({ status: 'down', code: 'INFERENCE_FAILED' });
    expect(body.details['rabbitmq']).toMatchObject({ status: 'down', consumer: 'paused' });
    expect((await probe(worker, 'live')).status).toBe(200);
    // Those that were in hand have failed, and five more that were tried one at a time.
    await worker.log(nth(MESSAGES + 5, ({ retryInMs }) => retryInMs !== undefined));
    rmSync(outageFile);
    const answers = await client.replies.answersTo(MESSAGES);
    expect(answers.size).toBe(MESSAGES);
    for (const [id, [answer]] of answers)
      expect(answer?.body).toMatchObject({ outputs: [{ data: [(Number(id) % 10) ** 2] }] });
    await untilProbe(worker, 'ready', 200);
    expect(dead.letters).toEqual([]);
  });

  it('the worker ends in order, and takes nothing along', async () => {
    await sendAll();
    await untilProbe(worker, 'ready', 503);
    expect(await worker.stop()).toBe(0);
    rmSync(outageFile);
    await stage.worker({ MODELS_DIR: 'test/support/models', DEFAULT_MODEL: 'lookup', RETRY_DELAYS_MS });
    expect((await client.replies.answersTo(MESSAGES)).size).toBe(MESSAGES);
  });
});

describe('when most messages are at fault themselves', () => {
  const stage = new Stage();
  afterAll(() => stage.clear());

  it('consumption goes on: those that share their batches succeed', async () => {
    const worker = await stage.worker({ MODELS_DIR: 'test/support/models', DEFAULT_MODEL: 'lookup' });
    const client = await stage.client();
    const isBad = (index: number) => index % 3 > 0;
    await Promise.all(
      Array.from({ length: MESSAGES }, (_, index) =>
        client.send(stage.queue, { data: [isBad(index) ? 99 : 3] }, { correlationId: String(index) }),
      ),
    );
    for (const [id, [answer]] of await client.replies.answersTo(MESSAGES))
      expect(answer?.body).toMatchObject(
        isBad(Number(id)) ? { code: 'INFERENCE_FAILED' } : { outputs: [{}] },
      );
    expect((await probe(worker, 'ready')).status).toBe(200);
    expect(worker.logs.filter(({ context }) => context === 'Outage')).toEqual([]);
  });
});
