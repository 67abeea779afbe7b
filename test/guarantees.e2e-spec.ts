import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { type BrokerClient, type Letter } from './support/broker-client.js';
import { canControlBroker, closeConnectionsOf } from './support/broker-control.js';
import { inHand, untilInHand } from './support/probes.js';
import { eventually } from './support/eventually.js';
import { nth, Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

/** Keeps a worker busy long enough to be interrupted: at most 64 messages each 50 ms. */
const SLOW = { PREPROCESS_IO_DELAY_MS: '50', CONCURRENCY: '64', PREFETCH: '64', LOG_LEVEL: 'debug' };
const MESSAGES = 1500;
const { images } = readTestSet();

let stage: Stage;
let client: BrokerClient;

beforeEach(async () => {
  stage = new Stage();
  client = await stage.client();
});

afterEach(() => stage.clear());

describe('acknowledgement', () => {
  const COUNT = 20;
  let results: string;

  /** A result queue with room for one answer; the broker refuses the others. */
  beforeEach(async () => {
    results = stage.queueName();
    await client.channel.assertQueue(results, {
      durable: true,
      arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    });
  });

  /** Resolves with the count of answers that found room, when the worker is stuck with the others. */
  async function untilStuck(worker: WorkerProcess): Promise<number> {
    return eventually(
      async () => {
        const answered = await client.depth(results);
        return answered > 0 && (await inHand(worker)) === COUNT - answered ? answered : 0;
      },
      (answered) => answered > 0,
    );
  }

  it('comes only after the confirmed result: without room for results the broker keeps the requests', async () => {
    const worker = await stage.worker();
    await sendAll(COUNT, results);
    const answered = await untilStuck(worker);
    expect(answered).toBeLessThan(COUNT);
    await worker.stop('SIGKILL');
    // Or one more: an ack that was written but had not left when the worker was killed.
    await eventually(
      () => client.depth(stage.queue),
      (depth) => depth >= COUNT - answered,
    );
  });

  it('follows once there is room: every result arrives once, and nothing stays behind', async () => {
    const worker = await stage.worker();
    await sendAll(COUNT, results);
    await untilStuck(worker);
    const inbox = await client.collect(results);
    await inbox.answersTo(COUNT);
    await untilInHand(worker, 0);
    expect(await worker.stop()).toBe(0);
    expect(inbox.letters).toHaveLength(COUNT);
    expect(await client.depth(stage.queue)).toBe(0);
    expect(await client.depth(stage.deadLetters)).toBe(0);
  });
});

describe('a lost connection', () => {
  /** Sends all, breaks twice under way, and expects every message to be answered with one and the same answer. */
  async function expectNothingLost(worker: WorkerProcess, breakConnection: () => unknown): Promise<void> {
    const sending = sendAll(MESSAGES);
    await client.replies.received(100);
    await breakConnection();
    await worker.log(({ msg }) => msg.includes('connection lost'));
    await client.replies.received(MESSAGES / 2);
    await worker.log(nth(2, ({ msg }) => msg.startsWith('consuming from')));
    await breakConnection();
    await sending;
    const answers = await client.replies.answersTo(MESSAGES);
    expectSameAnswers(answers);
    await eventually(
      () => client.depth(stage.queue),
      (depth) => depth === 0,
    );
    await untilInHand(worker, 0);
    expect(await client.depth(stage.deadLetters)).toBe(0);
    expect(await worker.stop()).toBe(0);
  }

  it('costs no message when the network cuts it under load', async () => {
    const proxy = await TcpProxy.open();
    stage.atEnd(() => proxy.refuse());
    const worker = await stage.worker({ ...SLOW, RABBITMQ_URL: proxy.url() });
    await expectNothingLost(worker, () => proxy.cut());
  });

  it('costs no message when the broker is away for a while', async () => {
    const proxy = await TcpProxy.open();
    stage.atEnd(() => proxy.refuse());
    const worker = await stage.worker({ ...SLOW, RABBITMQ_URL: proxy.url() });
    let waits = 0;
    await expectNothingLost(worker, async () => {
      await proxy.refuse();
      waits++;
      await worker.log(nth(waits, ({ msg }) => msg.startsWith('consume: waiting for RabbitMQ')));
      await proxy.admit();
    });
  });

  if (canControlBroker)
    it('costs no message when the broker closes it under load', async () => {
      const worker = await stage.worker(SLOW);
      await expectNothingLost(worker, () => closeConnectionsOf(worker.pid));
    });

  if (canControlBroker)
    it('costs no message when only answers can no longer be sent', async () => {
      const worker = await stage.worker(SLOW);
      const sending = sendAll(MESSAGES);
      await client.replies.received(100);
      await closeConnectionsOf(worker.pid, 'publish');
      await worker.log(nth(2, ({ msg }) => msg.startsWith('publish: connected')));
      await client.replies.received(MESSAGES / 2);
      await closeConnectionsOf(worker.pid, 'publish');
      await sending;
      expectSameAnswers(await client.replies.answersTo(MESSAGES));
      await untilInHand(worker, 0);
      expect(await worker.stop()).toBe(0);
      expect(await client.depth(stage.queue)).toBe(0);
    });

  if (canControlBroker)
    it('costs no message when only requests can no longer come', async () => {
      const worker = await stage.worker(SLOW);
      const sending = sendAll(MESSAGES);
      await client.replies.received(100);
      await closeConnectionsOf(worker.pid, 'consume');
      await sending;
      expectSameAnswers(await client.replies.answersTo(MESSAGES));
      await untilInHand(worker, 0);
      expect(await worker.stop()).toBe(0);
      expect(await client.depth(stage.queue)).toBe(0);
    });
});

describe('the end of a worker', () => {
  it('by SIGTERM under load leaves no message half-way: another worker answers the rest, each once', async () => {
    await declareByWorker();
    await sendAll(MESSAGES);
    const first = await stage.worker(SLOW);
    await client.replies.received(100);
    expect(await first.stop('SIGTERM')).toBe(0);
    expect(first.errors).toBe('');
    const byFirst = client.replies.letters.length;
    expect(byFirst).toBeLessThan(MESSAGES);

    const second = await stage.worker(SLOW);
    await client.replies.answersTo(MESSAGES);
    await untilInHand(second, 0);
    expect(await second.stop()).toBe(0);
    expect(client.replies.letters).toHaveLength(MESSAGES);
    expect(await client.depth(stage.queue)).toBe(0);
    expect(await client.depth(stage.deadLetters)).toBe(0);
  });

  it.each(['quorum', 'classic'])(
    'by SIGTERM under load gives nothing back to a %s queue that it has taken',
    async (type) => {
      await declareByWorker({ QUEUE_TYPE: type });
      await sendAll(MESSAGES);
      const worker = await stage.worker({ ...SLOW, QUEUE_TYPE: type });
      await client.replies.received(100);
      expect(await worker.stop('SIGTERM')).toBe(0);
      const rest = await client.collect(stage.queue);
      const all = await eventually(
        () => Promise.resolve([...client.replies.letters, ...rest.letters]),
        (letters) => letters.length >= MESSAGES,
      );
      expect(new Set(all.map(({ properties }) => String(properties.correlationId))).size).toBe(MESSAGES);
      expect(all).toHaveLength(MESSAGES);
      // A quorum queue may have meant messages for the worker when its cancel came: those were never sent, and
      // count as delivered once nevertheless.
      const returns = rest.letters.map(({ isRedelivered, headers }) =>
        type === 'quorum' ? Number(headers['x-delivery-count'] ?? 0) : Number(isRedelivered),
      );
      expect(Math.max(...returns)).toBeLessThanOrEqual(type === 'quorum' ? 1 : 0);
    },
  );

  it('by SIGKILL under load loses nothing; what is answered twice has the same answer twice', async () => {
    await declareByWorker();
    await sendAll(MESSAGES);
    const first = await stage.worker(SLOW);
    await client.replies.received(100);
    expect(await first.stop('SIGKILL')).toBeNull();
    const second = await stage.worker(SLOW);
    expectSameAnswers(await client.replies.answersTo(MESSAGES));
    await untilInHand(second, 0);
    expect(await second.stop()).toBe(0);
    expect(await client.depth(stage.queue)).toBe(0);
    expect(await client.depth(stage.deadLetters)).toBe(0);
  });

  it('waits for no message longer than DRAIN_TIMEOUT_MS: those are back in the queue', async () => {
    const worker = await stage.worker({ PREPROCESS_IO_DELAY_MS: '600000', DRAIN_TIMEOUT_MS: '300' });
    await sendAll(20);
    await untilInHand(worker, 20);
    expect(await worker.stop()).toBe(0);
    expect(worker.logs.map(({ msg }) => msg)).toContainEqual(
      expect.stringMatching(/^20 messages .*DRAIN_TIMEOUT_MS/),
    );
    await eventually(
      () => client.depth(stage.queue),
      (depth) => depth === 20,
    );
    expect(client.replies.letters).toEqual([]);
    await stage.worker();
    await client.replies.answersTo(20);
  });

  it('comes at once when nothing is in hand', async () => {
    const worker = await stage.worker({ DRAIN_TIMEOUT_MS: '3600000' });
    await client.ask(stage.queue, { data: images[0] });
    expect(await worker.stop()).toBe(0);
  });

  it('comes also when the broker is away', async () => {
    const proxy = await TcpProxy.open();
    stage.atEnd(() => proxy.refuse());
    const worker = await stage.worker({
      RABBITMQ_URL: proxy.url(),
      PREPROCESS_IO_DELAY_MS: '600000',
      DRAIN_TIMEOUT_MS: '300',
    });
    await sendAll(5);
    await untilInHand(worker, 5);
    await proxy.refuse();
    await worker.log(({ msg }) => msg.startsWith('consume: connection lost'));
    expect(await worker.stop()).toBe(0);
    await eventually(
      () => client.depth(stage.queue),
      (depth) => depth === 5,
    );
  });

  it('comes by SIGINT as by SIGTERM', async () => {
    const worker = await stage.worker();
    expect(await worker.stop('SIGINT')).toBe(0);
  });
});

describe('a result queue of the worker’s own', () => {
  it('is declared anew when it is deleted, and has every result', async () => {
    const results = stage.queueName();
    const worker = await stage.worker({ RESULTS_QUEUE: results });
    await client.channel.deleteQueue(results);
    await sendAll(100, '');
    await worker.log(({ msg }) => msg.includes(`'${results}' was gone, and has been declared again`));
    const inbox = await client.collect(results);
    expectSameAnswers(await inbox.answersTo(100));
    expect(await worker.stop()).toBe(0);
    expect(inbox.letters).toHaveLength(100);
    expect(await client.depth(stage.deadLetters)).toBe(0);
  });
});

describe('the request queue', () => {
  it('is declared anew when it is deleted, and consumed again', async () => {
    const worker = await stage.worker();
    await client.ask(stage.queue, { data: images[0] });
    await client.channel.deleteQueue(stage.queue);
    await worker.log(nth(2, ({ msg }) => msg.startsWith('consuming from')));
    const { properties } = await client.ask(stage.queue, { data: images[0] });
    expect(properties.type).toBe('inference.result');
    expect(await worker.stop()).toBe(0);
  });

  it('is shared by workers: each message is answered once', async () => {
    const workers = [await stage.worker(SLOW), await stage.worker(SLOW)];
    await sendAll(MESSAGES);
    await client.replies.answersTo(MESSAGES);
    for (const worker of workers) await untilInHand(worker, 0);
    for (const worker of workers) expect(await worker.stop()).toBe(0);
    expect(client.replies.letters).toHaveLength(MESSAGES);
    for (const { logs } of workers)
      expect(logs.reduce((sum, { answered }) => sum + Number(answered ?? 0), 0)).toBeGreaterThan(0);
  });
});

/** The queues as a worker declares them, with no worker left. */
async function declareByWorker(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const worker = await stage.worker(env);
  expect(await worker.stop()).toBe(0);
}

/** Message `i` carries image `i` and has its number as correlation id and message id. */
async function sendAll(count: number, replyTo = client.replyQueue): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      client.send(
        stage.queue,
        { data: images[index % images.length] },
        { correlationId: String(index), messageId: `m${index}`, replyTo },
      ),
    ),
  );
}

/** One answer, and only one, to each request: others are copies of it. */
function expectSameAnswers(answers: ReadonlyMap<string, readonly Letter[]>): void {
  for (const [first, ...copies] of answers.values()) {
    expect(first?.properties.type).toBe('inference.result');
    for (const copy of copies) {
      expect(copy.properties.messageId).toBe(first?.properties.messageId);
      expect(copy.body).toEqual(first?.body);
    }
  }
  const ids = [...answers.values()].map(([first]) => String(first?.properties.messageId));
  expect(new Set(ids).size).toBe(answers.size);
}
