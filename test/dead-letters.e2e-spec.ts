import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { publishLarge } from './faults/load/raw-publish.js';
import { Supervisor } from './faults/supervisor.js';
import { BROKER_URL, type BrokerClient, type Letter } from './support/broker-client.js';
import { canControlBroker, shovel } from './support/broker-control.js';
import { DlqProcess } from './support/dlq-process.js';
import { eventually } from './support/eventually.js';
import { LOOKUP, SCARCE_LOOKUP } from './support/model-outage.js';
import { POISONABLE, poisoned } from './support/poison.js';
import { Stage } from './support/stage.js';

const { images } = readTestSet();
const KIB = 1024;
const isSuspicion = (msg: string) => /crashes of a worker/.test(msg);

let stage: Stage;
let client: BrokerClient;

beforeEach(async () => {
  stage = new Stage();
  client = await stage.client();
});

afterEach(() => stage.clear());

async function untilDead(count: number): Promise<void> {
  await eventually(
    () => client.depth(stage.deadLetters),
    (depth) => depth === count,
  );
}

/** Publishes a request with headers that amqplib could not write. */
async function sendWith(headers: Record<string, string | Buffer>, request: object): Promise<void> {
  const body = Buffer.from(JSON.stringify(request));
  await publishLarge(BROKER_URL, { queue: stage.queue, replyTo: client.replyQueue, id: 'r', body, headers });
}

async function dlq(...args: string[]): Promise<string> {
  const command = new DlqProcess([...args, '--queue', stage.queue]);
  expect(await command.ended()).toBe(0);
  return command.stdout;
}

describe('a dead letter with more headers than can be written again', () => {
  const FAILING = { data: [99] };
  const small = { tenant: 'shop', traceparent: '00-1' };
  let letter: Letter;

  /** Has a request fail twice, with a retry between. */
  async function fail(headers: Record<string, string | Buffer>): Promise<void> {
    await stage.worker({ ...SCARCE_LOOKUP, RETRY_DELAYS_MS: '50' });
    const dead = await client.collect(stage.deadLetters);
    await sendWith(headers, FAILING);
    letter = await dead.answerTo('r');
    expect(letter.body).toEqual(FAILING);
    expect(letter.headers).toMatchObject({ 'x-error-code': 'INFERENCE_FAILED', 'x-attempts': 2 });
  }

  it.each([70, 120])('is without one of %i KiB, says so, and has all others', async (size) => {
    await fail({ large: 'x'.repeat(size * KIB), ...small });
    expect(letter.headers).toMatchObject({
      ...small,
      'x-headers-left-out': `large (${size * KIB + 11} bytes)`,
    });
    expect(letter.headers).not.toHaveProperty('large');
  });

  it('has one of 60 KiB', async () => {
    await fail({ large: 'x'.repeat(60 * KIB), ...small });
    expect(letter.headers).toMatchObject({ ...small, large: 'x'.repeat(60 * KIB) });
    expect(letter.headers).not.toHaveProperty('x-headers-left-out');
  });

  it('has as many of 1,000 headers as there is room for', async () => {
    const many = Array.from({ length: 1000 }, (_, index) => [`h${index}`, 'x'.repeat(100)] as const);
    await fail({ ...Object.fromEntries(many), ...small });
    const kept = Object.keys(letter.headers).filter((name) => /^h\d+$/.test(name));
    expect(kept.length).toBeGreaterThan(500);
    expect(letter.headers).toMatchObject(small);
    expect(letter.headers['x-headers-left-out']).toMatch(/^h999 \(110 bytes\), [^a]*\) and \d+ more$/);
  });

  it('is without those of types that cannot be written again, and has all others', async () => {
    const notWhole = Buffer.alloc(9, 'd');
    notWhole.writeDoubleBE(2 ** 50 + 0.5, 1);
    await fail({ odd: notWhole, ...small });
    expect(letter.headers).toMatchObject({ ...small, 'x-headers-left-out': 'odd (cannot be written)' });
  });

  it('asks for no other model where its name was the header without room', async () => {
    await stage.worker(LOOKUP);
    await sendWith({ 'x-model': 'm'.repeat(70 * KIB) }, { data: [3] });
    await untilDead(1);
    await dlq('replay');
    await client.replies.received(2);
    expect(client.replies.letters.map(({ body }) => body['code'])).toEqual(Array(2).fill('UNKNOWN_MODEL'));
  });

  it('is shown by dlq with what is left out, and sent again without a word of it', async () => {
    const worker = await stage.worker();
    await sendWith({ large: 'x'.repeat(70 * KIB), ...small }, { data: [1] });
    await untilDead(1);
    expect(await worker.stop()).toBe(0);
    expect(await dlq('show', '1')).toMatch(/^ {2}x-headers-left-out +large \(71691 bytes\)$/m);
    await dlq('replay');
    const requests = await client.collect(stage.queue);
    const { headers } = await requests.answerTo('r');
    expect({ ...headers, 'x-delivery-count': undefined }).toEqual(small);
  });
});

if (canControlBroker)
  describe('a dead letter that is moved back by RabbitMQ’s own means', () => {
    /** Puts all letters back, and resolves with the answers to as many. */
    async function moveBack(count: number): Promise<readonly Letter[]> {
      const earlier = client.replies.letters.length;
      await shovel(stage.deadLetters, stage.queue);
      return (await client.replies.received(earlier + count)).slice(earlier);
    }

    /** Moved back, the letter is answered by a result, and the worker is no more careful than before. */
    async function expectInnocent({ logs }: WorkerProcess, suspicions = 0): Promise<void> {
      const [answer] = await moveBack(1);
      expect(answer?.properties.type).toBe('inference.result');
      expect(logs.filter(({ msg }) => isSuspicion(msg))).toHaveLength(suspicions);
      await untilDead(0);
    }

    it('has all attempts and all its time again', async () => {
      await stage.worker({ ...SCARCE_LOOKUP, RETRY_DELAYS_MS: '50,150' });
      const sentAt = Date.now();
      await client.ask(stage.queue, { data: [99] }, { expiration: '1000' });
      await untilDead(1);
      await eventually(
        () => Promise.resolve(Date.now()),
        (now) => now > sentAt + 1000,
      );
      const [answer] = await moveBack(1);
      expect(answer?.body).toMatchObject({ code: 'INFERENCE_FAILED' });
      const dead = await client.collect(stage.deadLetters);
      const [letter] = await dead.received(1);
      expect(letter?.headers).toMatchObject({ 'x-error-code': 'INFERENCE_FAILED', 'x-attempts': 3 });
      expect(Date.parse(String(letter?.headers['x-first-failed-at']))).toBeGreaterThan(sentAt + 1000);
    });

    it('asks for the default model of now, where it asked for no model', async () => {
      const worker = await stage.worker({ MODELS_DIR: 'test/support/models', DEFAULT_MODEL: 'lookup' });
      await client.ask(stage.queue, { data: [99] });
      expect(await worker.stop()).toBe(0);
      await stage.worker({ MODELS_DIR: 'test/support/models', DEFAULT_MODEL: 'mean' });
      const [answer] = await moveBack(1);
      expect(answer?.body).toMatchObject({ model_name: 'mean' });
    });

    it('is not held to be guilty of crashes: a worker that stands it answers it', async () => {
      const limit = { DELIVERY_LIMIT: '3' }; // two crashes are enough
      await (await stage.worker(limit)).stop();
      await client.send(stage.queue, { data: poisoned(images[0]) }, { messageId: 'poison' });
      const supervisor = new Supervisor(() => stage.launch({ ...POISONABLE, ...limit }));
      stage.atEnd(() => supervisor.stop('SIGKILL'));
      await client.replies.received(1);
      await untilDead(1);
      expect(await supervisor.stop()).toBe(0);
      expect(supervisor.crashes).toBe(2);
      await expectInnocent(await stage.worker(limit));
    });

    it('is not held to be guilty of those either that are known from its copies', async () => {
      const worker = await stage.worker();
      const copy = { 'x-onnxmq-attempts': 0, 'x-onnxmq-crashes': 4, 'x-crashes': 4 }; // as workers put it aside
      const { body } = await client.ask(stage.queue, { data: images[0] }, { headers: copy });
      expect(body).toMatchObject({ code: 'CRASH_SUSPECT' });
      await untilDead(1);
      const suspicions = worker.logs.filter(({ msg }) => isSuspicion(msg)).length;
      await expectInnocent(worker, suspicions);
    });

    it('is not held to be guilty either where RabbitMQ has put it there, or a worker hands it back', async () => {
      await (await stage.worker({ DELIVERY_LIMIT: '1' })).stop();
      const headers = { 'x-onnxmq-attempts': 9, 'x-onnxmq-crashes': 4, 'x-onnxmq-deadline': 1 };
      await client.send(stage.queue, { data: images[0] }, { headers, correlationId: 'c' });
      const taken = await stage.client();
      await eventually(
        async () => {
          const other = await stage.client(); // its end counts as a crash does
          await other.channel.get(stage.queue);
          await other.close();
          return taken.depth(stage.deadLetters);
        },
        (depth) => depth === 1,
      );
      for (let looks = 0; looks < 5; looks++) await dlq('ls');
      await shovel(stage.deadLetters, stage.queue);
      const message = await eventually(
        () => client.channel.get(stage.queue),
        (found) => found !== false,
      );
      if (message) client.channel.reject(message, true);
      const worker = await stage.worker({ DELIVERY_LIMIT: '1' });
      expect((await client.replies.answerTo('c')).properties.type).toBe('inference.result');
      expect(worker.logs.map(({ code }) => code).filter((code) => code !== undefined)).toEqual([]);
    });
  });
