import { afterEach, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import { WorkerProcess } from '../src/cli/worker-process.js';
import { BrokerClient } from './support/broker-client.js';
import { canControlBroker, closeConnectionsOf } from './support/broker-control.js';
import { useScene } from './support/scene.js';
import { TcpProxy } from './support/tcp-proxy.js';

const { images } = readTestSet();
const MESSAGES = 3000;

describe('a message', () => {
  const scene = useScene();
  const proxies: TcpProxy[] = [];
  afterEach(() => Promise.all(proxies.splice(0).map((proxy) => proxy.close())));

  async function openProxy(): Promise<TcpProxy> {
    const proxy = await new TcpProxy().open();
    proxies.push(proxy);
    return proxy;
  }

  /** Publishes the messages; each names itself in `id` and `message_id`. */
  async function publishAll(client: BrokerClient, count = MESSAGES): Promise<void> {
    const send = (index: number) =>
      client.send(
        scene().queue,
        { id: `${index}`, data: images[index % images.length] },
        { messageId: `m${index}` },
      );
    await Promise.all(Array.from({ length: count }, (_, index) => send(index)));
  }

  /** Waits until each message has an answer; an answer that came again must be the same, byte for byte. */
  async function everyAnswer(client: BrokerClient, count = MESSAGES): Promise<{ duplicates: number }> {
    const first = new Map<string, string>();
    let duplicates = 0;
    for (let seen = 0; first.size < count; seen++) {
      const { body, properties } = (await client.received(seen + 1))[seen] ?? {};
      const id = String(body?.['id']);
      const answer = `${properties?.messageId} ${JSON.stringify(body)}`;
      if (first.has(id)) {
        duplicates++;
        expect(answer).toBe(first.get(id));
      }
      expect(properties?.messageId).toBe(`m${id}.answer`);
      first.set(id, answer);
    }
    return { duplicates };
  }

  async function expectAllSettled(worker: WorkerProcess, client: BrokerClient): Promise<void> {
    expect(await worker.stop()).toBe(0);
    expect(await client.depth(scene().queue)).toBe(0);
    expect(await client.depth(scene().deadLetterQueue)).toBe(0);
  }

  it('is acknowledged only after the broker has confirmed its result', async () => {
    const results = scene().willDelete(`${scene().queue}.results`);
    const client = await scene().client();
    // A full queue refuses the results until there is room.
    const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
    await client.channel.assertQueue(results, { durable: true, arguments: full });
    await client.send(results, 'in the way');
    const worker = scene().worker({ RESULTS_QUEUE: results, TOPOLOGY: 'none' });
    await client.channel.assertQueue(scene().queue, { durable: true });
    await client.channel.assertQueue(scene().deadLetterQueue, { durable: true });
    await worker.consuming();
    for (const id of ['a', 'b', 'c'])
      await client.send(scene().queue, { id, data: images[0] }, { replyTo: undefined });
    await worker.log(({ inHand }) => inHand === 3);
    // Not settled: had they been, they would be gone with this worker.
    await worker.stop('SIGKILL');
    expect(await client.depth(scene().queue)).toBe(3);

    const successor = await scene().consumingWorker({ RESULTS_QUEUE: results, TOPOLOGY: 'none' });
    await successor.log(({ inHand }) => inHand === 3);
    expect((await client.take(results)).content.toString()).toBe('in the way');
    const ids = [];
    while (ids.length < 3) ids.push(JSON.parse((await client.take(results)).content.toString()).id);
    expect(ids.toSorted()).toEqual(['a', 'b', 'c']);
    await expectAllSettled(successor, client);
  });

  it('is answered once and only once when SIGTERM comes under load, and another worker goes on', async () => {
    const client = await scene().client();
    const worker = await scene().consumingWorker();
    await publishAll(client);
    await client.received(200);
    expect(await worker.stop('SIGTERM')).toBe(0);
    const successor = await scene().consumingWorker();
    expect(await everyAnswer(client)).toEqual({ duplicates: 0 });
    await expectAllSettled(successor, client);
  });

  it('is answered when its worker is killed under load, perhaps twice, with the same message_id', async () => {
    const client = await scene().client();
    const worker = await scene().consumingWorker();
    await publishAll(client);
    await client.received(200);
    await worker.stop('SIGKILL');
    const successor = await scene().consumingWorker();
    await everyAnswer(client);
    await expectAllSettled(successor, client);
  });

  it('is answered when the network cuts all connections under load, again and again', async () => {
    const client = await scene().client();
    const proxy = await openProxy();
    const worker = await scene().consumingWorker({ RABBITMQ_URL: proxy.url });
    await publishAll(client);
    for (const answered of [200, 800, 1600]) {
      await client.received(answered);
      proxy.cut();
    }
    await everyAnswer(client);
    await expectAllSettled(worker, client);
  });

  if (canControlBroker)
    it('is answered when the broker closes the connections under load', async () => {
      const client = await scene().client();
      const worker = await scene().consumingWorker();
      await publishAll(client, 500);
      let isClosed = false;
      const closed = closeConnectionsOf(worker.pid).then(() => (isClosed = true));
      let sent = 500;
      // Load until the broker has done so, which takes its command-line tool a second.
      while (!isClosed) {
        await client.received(sent - 200);
        await client.send(scene().queue, { id: `${sent}`, data: images[0] }, { messageId: `m${sent}` });
        sent++;
      }
      await closed;
      await everyAnswer(client, sent);
      expect(worker.logs.filter(({ msg }) => msg.includes('connection lost')).length).toBeGreaterThanOrEqual(
        2,
      );
      await expectAllSettled(worker, client);
    });

  it('goes back to the queue when it takes longer than the drain may', async () => {
    const client = await scene().client();
    const worker = await scene().consumingWorker({
      PREPROCESS_IO_DELAY_MS: '600000',
      DRAIN_TIMEOUT_MS: '100',
    });
    await publishAll(client, 20);
    await worker.log(({ inHand }) => inHand === 20);
    expect(await worker.stop()).toBe(0);
    expect(await client.depth(scene().queue)).toBe(20);
  });

  it('finds a worker again after its queue was deleted', async () => {
    const client = await scene().client();
    const worker = await scene().consumingWorker();
    const consumptions = () => worker.logs.filter(({ msg }) => msg.startsWith('consuming from')).length;
    await client.channel.deleteQueue(scene().queue);
    await worker.log(() => consumptions() === 2);
    expect(await client.ask(scene().queue, { id: 'after', data: images[0] })).toMatchObject({
      body: { id: 'after' },
    });
  });
});
