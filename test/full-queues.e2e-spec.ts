import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { type BrokerClient, type Inbox, type Letter } from './support/broker-client.js';
import { canControlBroker, rabbitmqctl } from './support/broker-control.js';
import { eventually } from './support/eventually.js';
import { SCARCE_LOOKUP } from './support/model-outage.js';
import { probe, untilInHand } from './support/probes.js';
import { Stage } from './support/stage.js';

const { images } = readTestSet();
const BROKEN = Buffer.from('{"data":[1,');
/** A tenth of the ordinary time in which a copy comes back, so that a test need not wait for long. */
const RETRY_DELAYS_MS = '3000';
const SMALL = { PREFETCH: '4', CONCURRENCY: '4', BATCH_MAX_SIZE: '4' };

(canControlBroker ? describe : describe.skip)('when the queue for dead letters is full', () => {
  let stage: Stage;
  let client: BrokerClient;

  beforeEach(async () => {
    stage = new Stage();
    client = await stage.client();
  });

  afterEach(() => stage.clear());

  /** Limits queues in the operator's way. @returns what lifts the limit */
  async function limit(queues: string, length: number): Promise<() => Promise<unknown>> {
    const name = `full ${stage.queue} ${queues}`;
    const definition = JSON.stringify({ 'max-length': length, overflow: 'reject-publish' });
    const pattern = `^${stage.queue.replaceAll('.', '\\.')}${queues}$`;
    await rabbitmqctl('set_policy', name, pattern, definition, '--apply-to', 'queues');
    if (queues.includes('dead')) await fill(stage.deadLetters);
    const lift = () => rabbitmqctl('clear_policy', name);
    stage.atEnd(() => lift().catch(() => {}));
    return lift;
  }

  /** Others' letters, until it takes no more: RabbitMQ applies a limit only some time after it is set. */
  async function fill(queue: string): Promise<void> {
    const filler = await stage.client(); // RabbitMQ 3.10 may refuse its channel everything from now on
    const isTaken = () =>
      filler.send(queue, 'filler', { correlationId: 'filler' }).then(
        () => true,
        () => false,
      );
    await eventually(isTaken, (taken) => !taken);
  }

  /** Requests that end as dead letters. */
  function sendBroken(count: number): Promise<unknown> {
    return Promise.all(
      Array.from({ length: count }, (_, index) =>
        client.send(stage.queue, BROKEN, {
          correlationId: `broken ${index}`,
          messageId: `m${index}`,
          headers: { own: index },
        }),
      ),
    );
  }

  const askWell = (correlationId: string) => client.ask(stage.queue, { data: images[0] }, { correlationId });

  /** Each of them is a dead letter, with its code and properties, and no more is written on it than on any other. */
  async function expectFiled(dead: Inbox, count: number): Promise<void> {
    const byRequest = await dead.answersTo(count + 1); // and the filler
    for (let index = 0; index < count; index++) {
      const [letter, ...others] = byRequest.get(`broken ${index}`) as readonly Letter[];
      expect(others).toEqual([]);
      expect(letter?.content).toEqual(BROKEN);
      expect(letter?.properties).toMatchObject({ messageId: `m${index}`, replyTo: client.replyQueue });
      expect(Object.keys(letter?.headers ?? {}).toSorted()).toEqual(
        ['own', 'x-attempts', 'x-error-code', 'x-error-message', 'x-first-failed-at'].toSorted(),
      );
      expect(letter?.headers).toMatchObject({ own: index, 'x-attempts': 1, 'x-error-code': 'INVALID_JSON' });
    }
  }

  async function expectAnsweredOnce(broken: number): Promise<void> {
    const errors = client.replies.letters.filter(({ properties }) => properties.type === 'inference.error');
    expect(errors).toHaveLength(broken);
    expect(new Set(errors.map(({ properties }) => String(properties.correlationId))).size).toBe(broken);
  }

  const isFull = (queue: string) => (worker: WorkerProcess) =>
    worker.log(({ msg }) => msg.startsWith(`the queue '${queue}' takes no messages`));

  it.each([
    ['there are retry queues', { RETRY_DELAYS_MS }],
    ['there are none', {}],
    ['the queues are classic', { QUEUE_TYPE: 'classic', RETRY_DELAYS_MS }],
  ])('good requests are answered, and all is filed once there is room, where %s', async (_, env) => {
    const BROKEN_REQUESTS = 300;
    const worker = await stage.worker(env);
    const lift = await limit('\\.dead', 10);
    await sendBroken(BROKEN_REQUESTS);
    await isFull(stage.deadLetters)(worker);
    for (const id of ['a', 'b', 'c']) expect((await askWell(id)).properties.type).toBe('inference.result');
    const { status, body } = await probe(worker, 'ready');
    expect(status).toBe(200);
    expect(body.details['rabbitmq']).toMatchObject({ state: 'degraded', full: [stage.deadLetters] });
    await client.replies.answersTo(BROKEN_REQUESTS + 3);
    await lift();
    await expectFiled(await client.collect(stage.deadLetters), BROKEN_REQUESTS);
    await expectAnsweredOnce(BROKEN_REQUESTS);
    await worker.log(({ msg }) => msg === `'${stage.deadLetters}' takes messages again`);
    await untilInHand(worker, 0);
    expect(worker.logs.filter(({ msg }) => msg.includes('takes no messages'))).toHaveLength(1);
  });

  it('a worker that may hold four messages answers good ones behind twelve that cannot be filed', async () => {
    const worker = await stage.worker({ ...SMALL, RETRY_DELAYS_MS });
    await limit('\\.dead', 1);
    await sendBroken(12);
    expect((await askWell('good')).properties.type).toBe('inference.result');
    await isFull(stage.deadLetters)(worker);
  });

  it.each([
    ['the retry queues are full as well', '\\.(dead|retry.*)'],
    ['the request queue as well', '(|\\.dead|\\.retry.*)'],
  ])('good requests are answered, and the worker ends at once, where %s', async (_, queues) => {
    const worker = await stage.worker({ RETRY_DELAYS_MS: '1000,3000', DRAIN_TIMEOUT_MS: '60000' });
    const lift = await limit(queues, 5);
    for (let index = 0; index < 40; index++)
      await eventually(
        () =>
          client
            .send(stage.queue, BROKEN, {
              correlationId: `broken ${index}`,
              messageId: `m${index}`,
              headers: { own: index },
            })
            .then(() => true)
            .catch(() => false),
        (isSent) => isSent,
      );
    await isFull(stage.deadLetters)(worker);
    await client.replies.answersTo(40);
    await expectAnsweredOnce(40);
    await eventually(
      () =>
        client
          .send(stage.queue, { data: images[0] }, { correlationId: 'good' })
          .then(() => true)
          .catch(() => false),
      (isSent) => isSent,
    );
    await client.replies.answerTo('good');
    expect(await worker.stop()).toBe(0);
    expect(worker.logs.some(({ msg }) => msg.includes('DRAIN_TIMEOUT_MS'))).toBe(false);
    await lift();
    const next = await stage.worker({ RETRY_DELAYS_MS: '1000,3000' });
    const dead = await client.collect(stage.deadLetters);
    await dead.answersTo(40 + 1);
    await untilInHand(next, 0);
  });

  it('a request that finds no room in its retry queue is tried again from another queue', async () => {
    const worker = await stage.worker({
      ...SCARCE_LOOKUP,
      RETRY_DELAYS_MS: '300',
      KILL_SWITCH_PERCENT: 'off',
    });
    const lift = await limit('\\.retry\\.300', 1);
    const dead = await client.collect(stage.deadLetters);
    const ids = Array.from({ length: 20 }, (_, index) => `far ${index}`);
    const sending = ids.map((correlationId) =>
      client.send(
        stage.queue,
        { id: correlationId, data: [99] },
        { correlationId, messageId: correlationId },
      ),
    );
    await Promise.all(sending);
    const answers = await client.replies.answersTo(ids.length);
    for (const id of ids) expect(answers.get(id)?.[0]?.body).toMatchObject({ code: 'INFERENCE_FAILED' });
    for (const [, [letter]] of await dead.answersTo(ids.length)) {
      expect(letter?.headers).toMatchObject({ 'x-attempts': 2 });
      expect(letter?.headers).not.toHaveProperty('x-put-aside');
    }
    await untilInHand(worker, 0);
    await lift();
  });

  it('the worker ends by SIGTERM at once, and the next one files what waits, without a second answer', async () => {
    const worker = await stage.worker({ RETRY_DELAYS_MS, DRAIN_TIMEOUT_MS: '60000' });
    const lift = await limit('\\.dead', 5);
    await sendBroken(100);
    await client.replies.answersTo(100);
    await untilInHand(worker, 0);
    expect(await worker.stop()).toBe(0);
    await stage.worker({ RETRY_DELAYS_MS });
    await lift();
    await expectFiled(await client.collect(stage.deadLetters), 100);
    await expectAnsweredOnce(100);
  });

  it('a producer who writes the marks of a copy that waits harms its own request only', async () => {
    const worker = await stage.worker({ RETRY_DELAYS_MS });
    const dead = await client.collect(stage.deadLetters);
    const asFiled = { 'x-put-aside': 'dead-letter' };
    const ask = (correlationId: string, headers: object) =>
      client.ask(stage.queue, { data: images[0] }, { correlationId, headers });
    for (const headers of [asFiled, { 'x-put-aside': 'tomorrow' }, { 'x-put-aside': Date.now() + 1e9 }])
      expect((await ask('forged', headers)).properties.type).toBe('inference.result');
    await client.send(
      stage.queue,
      { data: images[0] },
      {
        correlationId: 'own fault',
        headers: { ...asFiled, 'x-error-code': 'X' },
      },
    );
    expect((await dead.answerTo('own fault')).headers).toMatchObject({ 'x-error-code': 'X' });
    await untilInHand(worker, 0);
  });
});
