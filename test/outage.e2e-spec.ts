import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type LogLine, type WorkerProcess } from '../src/cli/worker-process.js';
import { type BrokerClient } from './support/broker-client.js';
import { LOOKUP, ModelOutage } from './support/model-outage.js';
import { probe, untilProbe } from './support/probes.js';
import { nth, Stage } from './support/stage.js';

const MESSAGES = 300;
/** Enough to be sure that it is not them. */
const FIRST_FEW = 12;
/** Two attempts only: without an end of consumption, everything would be dead in a second. */
const RETRY_DELAYS_MS = '100';

describe('when all messages fail for a reason that is not theirs', () => {
  let stage: Stage;
  let client: BrokerClient;
  let worker: WorkerProcess;
  let outage: ModelOutage;

  beforeEach(async () => {
    stage = new Stage();
    client = await stage.client();
    outage = new ModelOutage(stage);
    worker = await stage.worker({ ...outage.env, RETRY_DELAYS_MS });
    outage.begin();
  });

  afterEach(() => stage.clear());

  const isRetry = ({ retryInMs }: LogLine) => retryInMs !== undefined;
  const send = (from: number, to: number) =>
    Promise.all(
      Array.from({ length: to - from }, (_, index) => from + index).map((number) =>
        client.send(
          stage.queue,
          { data: [number % 10] },
          { correlationId: String(number), messageId: `m${number}` },
        ),
      ),
    );

  it('consumption pauses, readiness says why, and once it works again every message is answered', async () => {
    const dead = await client.collect(stage.deadLetters);
    await send(0, FIRST_FEW);
    await untilProbe(worker, 'ready', 503);
    await worker.log(({ msg }) => msg.startsWith('paused'));
    const { body } = await probe(worker, 'ready');
    expect(body.details['outage']).toMatchObject({ status: 'down', code: 'INFERENCE_FAILED' });
    expect(body.details['rabbitmq']).toMatchObject({ status: 'down', consumer: 'paused' });
    expect((await probe(worker, 'live')).status).toBe(200);
    // Each has failed once, and five of them again, which were tried one at a time: their last attempt, but for the outage.
    await worker.log(nth(FIRST_FEW + 5, isRetry));
    await send(FIRST_FEW, MESSAGES);
    outage.end();
    const answers = await client.replies.answersTo(MESSAGES);
    expect(answers.size).toBe(MESSAGES);
    for (const [id, [answer]] of answers)
      expect(answer?.body).toMatchObject({ outputs: [{ data: [(Number(id) % 10) ** 2] }] });
    await untilProbe(worker, 'ready', 200);
    expect(dead.letters).toEqual([]);
  });

  it('the worker ends in order, and takes nothing along', async () => {
    await send(0, MESSAGES);
    await untilProbe(worker, 'ready', 503);
    expect(await worker.stop()).toBe(0);
    outage.end();
    await stage.worker({ ...LOOKUP, RETRY_DELAYS_MS });
    expect((await client.replies.answersTo(MESSAGES)).size).toBe(MESSAGES);
  });
});

describe('when one of several models fails on everything', () => {
  let stage: Stage;
  let client: BrokerClient;
  let worker: WorkerProcess;
  let outage: ModelOutage;

  beforeEach(async () => {
    stage = new Stage();
    client = await stage.client();
    outage = new ModelOutage(stage, 'index'); // lookup's input
    worker = await stage.worker({ ...outage.env, RETRY_DELAYS_MS });
    outage.begin();
  });

  afterEach(() => stage.clear());

  const askBroken = () => client.ask(stage.queue, { model: 'lookup', data: [3] });
  const askOther = () => client.ask(stage.queue, { model: 'versioned', data: [1] });

  it('the others answer as ever, the worker is ready, and its requests are answered once it works again', async () => {
    const waiting = Array.from({ length: 2 * FIRST_FEW }, askBroken);
    await worker.log(({ context, msg }) => context === 'Outage' && msg.startsWith("model 'lookup'"));
    for (let index = 0; index < FIRST_FEW; index++)
      expect((await askOther()).body).toMatchObject({ outputs: [{ data: [11] }] });
    const { status, body } = await probe(worker, 'ready');
    expect(status).toBe(200);
    expect(body.details['outage']).toMatchObject({ status: 'up', models: ['lookup'] });
    outage.end();
    for (const answer of await Promise.all(waiting))
      expect(answer.body).toMatchObject({ outputs: [{ data: [9] }] });
    await worker.log(({ msg }) => msg === "model 'lookup' works again");
    expect((await probe(worker, 'ready')).body.details['outage']).toEqual({ status: 'up' });
  });

  it('its requests get an error answer and a dead letter when it lasts for more than a minute', async () => {
    const dead = await client.collect(stage.deadLetters);
    const answers = await Promise.all(Array.from({ length: FIRST_FEW }, askBroken));
    for (const { body } of answers) expect(body).toMatchObject({ code: 'INFERENCE_FAILED' });
    await dead.received(FIRST_FEW);
    expect((await askOther()).body).toMatchObject({ outputs: [{ data: [11] }] });
  }, 180_000);
});

describe('when most messages are at fault themselves', () => {
  let stage: Stage;
  let client: BrokerClient;
  let worker: WorkerProcess;

  beforeEach(async () => {
    stage = new Stage();
    worker = await stage.worker(LOOKUP);
    client = await stage.client();
  });

  afterEach(() => stage.clear());

  it('consumption goes on: those that share their batches succeed', async () => {
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

  it('consumption goes on also where each of them fills a batch: the model works on their other rows', async () => {
    const rows = Array.from({ length: 64 }, (_, row) => row % 10).with(40, 99);
    const inputs = [{ name: 'index', shape: [64, 1], datatype: 'INT64', data: rows }];
    const ask = () => client.ask(stage.queue, { inputs });
    for (const { body } of await Promise.all(Array.from({ length: 40 }, ask)))
      expect(body).toMatchObject({ code: 'INFERENCE_FAILED' });
    expect((await probe(worker, 'ready')).status).toBe(200);
    expect(worker.logs.filter(({ context }) => context === 'Outage')).toEqual([]);
  });

  it('each is answered at once, also where no other request is there to show that the model works', async () => {
    await worker.stop();
    worker = await stage.worker({ ...LOOKUP, RETRY_DELAYS_MS: '3600000' });
    for (let index = 0; index < 30; index++) {
      const { body } = await client.ask(stage.queue, { data: [99] });
      expect(body).toMatchObject({ code: 'INFERENCE_FAILED' });
    }
    expect((await client.ask(stage.queue, { data: [3] })).body).toMatchObject({ outputs: [{ data: [9] }] });
    expect((await probe(worker, 'ready')).status).toBe(200);
    expect(worker.logs.filter(({ context }) => context === 'Outage')).toEqual([]);
  });
});
