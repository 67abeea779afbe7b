import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import {
  canControlBroker,
  closeConnectionsOf,
  endMemoryAlarm,
  startMemoryAlarm,
} from './support/broker-control.js';
import { inHand, probe, probes, untilInHand, untilProbe } from './support/probes.js';
import { eventually } from './support/eventually.js';
import { nth, Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

const { images } = readTestSet();
const isConsuming = ({ msg }: { msg: string }) => msg.startsWith('consuming from');

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.clear());

describe('the probes', () => {
  it('say ready only once the worker consumes', async () => {
    const worker = stage.launch();
    const before: number[] = [];
    const first = await eventually(
      async () => ({ ...(await probe(worker, 'ready')), at: Date.now() }),
      ({ status }) => status === 200 || before.push(status) === 0,
    );
    const { time } = await worker.log(isConsuming);
    expect(Date.parse(String(time))).toBeLessThanOrEqual(first.at);
    expect(before.filter((status) => status !== 503)).toEqual([]);
    expect(await probes(worker)).toEqual({ live: 200, ready: 200, startup: 200 });
  });

  it('keep no worker from ending: not by a connection on which nobody asks anything', async () => {
    const worker = await stage.worker({ DRAIN_TIMEOUT_MS: '100' });
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(await worker.httpUrl()).port) });
    await once(socket, 'connect');
    await probes(worker); // it has been accepted by then
    expect(await worker.stop()).toBe(0);
    socket.destroy();
  });

  it('answer as Terminus does', async () => {
    const worker = await stage.worker();
    expect((await probe(worker, 'ready')).body).toMatchObject({
      status: 'ok',
      info: { models: { status: 'up' }, rabbitmq: { status: 'up' } },
      error: {},
    });
  });

  it('say alive, started and not ready while the broker is not there yet, and ready once it is', async () => {
    const proxy = await TcpProxy.open();
    stage.atEnd(() => proxy.refuse());
    await proxy.refuse();
    const worker = stage.launch({ RABBITMQ_URL: proxy.url() });
    const line = await worker.log(({ msg }) => msg.includes('waiting for RabbitMQ'));
    expect(line.msg).toContain(':***@127.0.0.1');
    await untilProbe(worker, 'startup', 200);
    expect(await probes(worker)).toEqual({ live: 200, ready: 503, startup: 200 });
    expect((await probe(worker, 'ready')).body).toMatchObject({
      status: 'error',
      error: { rabbitmq: { status: 'down' } },
    });

    await proxy.admit();
    await untilProbe(worker, 'ready', 200);
    const client = await stage.client();
    const { properties } = await client.ask(stage.queue, { data: images[0] });
    expect(properties.type).toBe('inference.result');
    expect(await worker.stop()).toBe(0);
  });

  it('say alive and not ready while the broker is gone, and ready when it is back', async () => {
    const proxy = await TcpProxy.open();
    stage.atEnd(() => proxy.refuse());
    const worker = await stage.worker({ RABBITMQ_URL: proxy.url() });
    await untilProbe(worker, 'ready', 200);
    await proxy.refuse();
    await untilProbe(worker, 'ready', 503);
    await worker.log(({ msg }) => msg.startsWith('consume: waiting for RabbitMQ'));
    expect(await probes(worker)).toEqual({ live: 200, ready: 503, startup: 200 });
    await proxy.admit();
    await untilProbe(worker, 'ready', 200);
    expect((await probe(worker, 'live')).status).toBe(200);
  });

  it('say not ready while there is no queue to consume from', async () => {
    const worker = stage.launch({ TOPOLOGY: 'none' });
    await worker.log(({ msg }) => msg.startsWith('cannot consume from'));
    expect(await probes(worker)).toEqual({ live: 200, ready: 503, startup: 200 });
  });

  if (canControlBroker)
    it('say not ready while answers cannot be sent, and ready when they can again', async () => {
      const worker = await stage.worker();
      await untilProbe(worker, 'ready', 200);
      await closeConnectionsOf(worker.pid, 'publish');
      await worker.log(nth(2, ({ msg }) => msg.startsWith('publish: connected')));
      await untilProbe(worker, 'ready', 200);
      expect(worker.logs.filter(isConsuming)).toHaveLength(1);
    });

  if (canControlBroker)
    it('say alive and not ready while the broker takes no messages, which then go out', async () => {
      const client = await stage.client();
      expect(await (await stage.worker()).stop()).toBe(0); // declares the queue
      for (const correlationId of ['a', 'b', 'c'])
        await client.send(stage.queue, { data: images[0] }, { correlationId });
      await startMemoryAlarm();
      stage.atEnd(endMemoryAlarm);
      const worker = await stage.worker();
      const { status, body } = await eventually(
        () => probe(worker, 'ready'),
        (answer) => answer.body.details['rabbitmq']?.['publisher'] === 'blocked',
      );
      expect([status, body.status]).toEqual([503, 'error']);
      expect((await probe(worker, 'live')).status).toBe(200);

      await endMemoryAlarm();
      await untilProbe(worker, 'ready', 200);
      await client.replies.answersTo(3);
      await untilInHand(worker, 0);
      expect(await worker.stop()).toBe(0);
    });

  it('say alive and not ready while the worker drains, which it does in order', async () => {
    const worker = await stage.worker({ PREPROCESS_IO_DELAY_MS: '5000' });
    const client = await stage.client();
    const sent = ['a', 'b', 'c', 'd', 'e'];
    for (const correlationId of sent) await client.send(stage.queue, { data: images[0] }, { correlationId });
    await untilInHand(worker, sent.length);
    const exitCode = worker.stop();
    await worker.log(({ msg }) => msg === `draining: ${sent.length} messages in hand`);
    const [live, ready] = [await probe(worker, 'live'), await probe(worker, 'ready')];
    expect([live.status, ready.status]).toEqual([200, 503]);
    // Asked in time: the work was still in hand.
    expect(await inHand(worker)).toBe(sent.length);
    expect(await exitCode).toBe(0);
    await client.replies.answersTo(sent.length);
    expect(client.replies.letters).toHaveLength(sent.length);
  });
});
