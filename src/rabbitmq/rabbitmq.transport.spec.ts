import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ServerRMQ } from '@nestjs/microservices';
import { throwError } from 'rxjs';
import { contentFrames, defs, method } from '../../test/support/amqplib-internals.js';
import { channelNumber, MemoryBroker, quiet } from '../../test/support/memory-broker.js';
import { FakeChannel, FakeManager, FakeTransport } from '../../test/support/fake-channels.js';
import { consumeMessage } from '../../test/support/messages.js';
import { readSettings } from '../config/settings.js';
import { StartupError } from '../config/startup-error.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { Delivery } from './delivery.js';
import { RabbitMqTransport } from './rabbitmq.transport.js';
import { PROBE_BODY } from './round-trip.js';
import { WaitingForRoom } from './waiting-for-room.js';

describe('ServerRMQ, as RabbitMqTransport relies on it', () => {
  class Server extends ServerRMQ {
    readonly fakeManager = new FakeManager();
    readonly setUp: unknown[] = [];

    override createClient<T>(): Promise<T> {
      return Promise.resolve(this.fakeManager as T);
    }

    override async setupChannel(channel: unknown): Promise<void> {
      this.setUp.push(channel);
    }

    get handlers() {
      return this.messageHandlers;
    }
  }
  const open = () => new Server({ urls: ['amqp://localhost'], queue: 'inference', noAck: false });

  it.each(['listen', 'close', 'createClient', 'setupChannel', 'getHandlerByPattern'] as const)(
    'has the method %s',
    (name) => {
      expect(Object.hasOwn(ServerRMQ.prototype, name)).toBe(true);
      expect(typeof ServerRMQ.prototype[name]).toBe('function');
    },
  );

  it('keeps handlers by their pattern as it is written', async () => {
    const server = open();
    const handler = () => Promise.resolve();
    server.addHandler('infer', handler);
    expect(server.handlers.get('infer')).toBe(handler);
    expect(server.getHandlerByPattern('infer')).toBe(handler);
    expect(server.getHandlerByPattern('other')).toBeNull();
  });

  it('listens with what createClient gives, and sets one channel up on each connection', async () => {
    const server = open();
    await server.listen(() => {});
    const channels = [await server.fakeManager.connect(), await server.fakeManager.connect()];
    expect(server.setUp).toEqual(channels);
  });

  it('tells the callback of listen why there is no client', async () => {
    const server = open();
    const reason = new Error('no client');
    server.createClient = () => Promise.reject(reason);
    const told: unknown[] = [];
    await server.listen((error) => told.push(error));
    expect(told).toEqual([reason]);
  });

  it('closes the channel, then the connection', async () => {
    const server = open();
    await server.listen(() => {});
    await server.fakeManager.connect();
    await server.close();
    expect(server.fakeManager.closed).toEqual(['channel', 'connection']);
  });
});

describe('RabbitMqTransport', () => {
  let transport: FakeTransport;
  let manager: FakeManager;
  let delivered: Delivery[];
  let listening: unknown[];

  beforeEach(() => {
    Logger.overrideLogger(false);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
    transport = new FakeTransport(readSettings({ TOPOLOGY: 'none', REQUEST_QUEUE: 'jobs' }), {
      prefetch: 32,
      concurrency: 16,
      longestIoWaitMs: 0,
    });
    manager = transport.fakeManager;
    delivered = [];
    listening = [];
    transport.addHandler('infer', (delivery: Delivery) => Promise.resolve(void delivered.push(delivery)));
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  async function consume(): Promise<FakeChannel> {
    await transport.listen((error) => listening.push(error));
    return manager.connect();
  }

  const messages = (count: number) => Array.from({ length: count }, (_, i) => consumeMessage({}, {}, i + 1));

  it('sets the prefetch before it consumes, and only then says that it listens', async () => {
    await transport.listen((error) => listening.push(error));
    expect({ state: transport.state, listening }).toEqual({ state: 'connecting', listening: [] });
    const channel = await manager.connect();
    expect(channel.asked).toEqual(['get jobs', 'prefetch 32', 'consume jobs']);
    expect({ state: transport.state, listening }).toEqual({ state: 'consuming', listening: [undefined] });
  });

  it('hands each message, as it came, to the handler of the pattern infer', async () => {
    const channel = await consume();
    const message = consumeMessage(Buffer.from('no JSON'));
    channel.send(message);
    expect(delivered.map((delivery) => delivery.message)).toEqual([message]);
    expect(transport.inHand).toBe(1);
    expect(channel.settling.settlements).toEqual([]);
  });

  it('acknowledges a probe, and hands it to nobody', async () => {
    const channel = await consume();
    channel.send(consumeMessage(PROBE_BODY, { type: 'onnxmq.probe' }));
    await jest.advanceTimersByTimeAsync(0);
    expect(channel.settling.settlements).toEqual(['ack 1']);
    expect(delivered).toEqual([]);
  });

  it('settles on the channel that delivered, and counts what is in hand', async () => {
    const channel = await consume();
    messages(2).forEach(channel.send);
    delivered.forEach((delivery) => delivery.ack());
    await jest.advanceTimersByTimeAsync(0);
    expect(channel.settling.settlements).toEqual(['ack 2 and below']);
    expect(transport.inHand).toBe(0);
  });

  it('consumes again on each new connection, and leaves what the old one delivered to the broker', async () => {
    const channel = await consume();
    channel.send(consumeMessage({}));
    channel.emit('close');
    expect(transport.state).toBe('connecting');
    const next = await manager.connect();
    expect(next.asked).toContain('consume jobs');
    expect(transport.state).toBe('consuming');
    expect(delivered[0]?.isStale).toBe(true);
    delivered[0]?.ack();
    await jest.advanceTimersByTimeAsync(0);
    expect([...channel.settling.settlements, ...next.settling.settlements]).toEqual([]);
    expect(listening).toHaveLength(1);
  });

  it('reports a delivery that a guard, pipe or interceptor keeps from the handler', async () => {
    const refusal = new Error('forbidden');
    transport.addHandler('infer', () => Promise.resolve(throwError(() => refusal)));
    const refused: unknown[] = [];
    transport.onRefused = (delivery, error) => refused.push([delivery.message.fields.deliveryTag, error]);
    const channel = await consume();
    channel.send(consumeMessage({}, {}, 5));
    await jest.advanceTimersByTimeAsync(0);
    expect(refused).toEqual([[5, refusal]]);
  });

  it('connects anew when the broker cancels its consumer', async () => {
    const channel = await consume();
    channel.send(consumeMessage({}));
    channel.send(null);
    expect(manager.renewals).toBe(1);
    expect(transport.state).toBe('connecting');
    expect(delivered[0]?.isStale).toBe(true);
  });

  it('tries again, after a while, when it cannot consume', async () => {
    await transport.listen((error) => listening.push(error));
    const channel = new FakeChannel();
    channel.refusal = new Error('no queue');
    await manager.connect(channel);
    expect({ listening, renewals: manager.renewals }).toEqual({ listening: [], renewals: 0 });
    await jest.advanceTimersByTimeAsync(5000);
    expect(manager.renewals).toBe(1);
    await manager.connect();
    expect(listening).toEqual([undefined]);
  });

  it('gives up at the start over what only an operator can change', async () => {
    await transport.listen((error) => listening.push(error));
    const channel = new FakeChannel();
    channel.refusal = new StartupError('queue exists with other arguments');
    await manager.connect(channel);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(listening).toEqual([channel.refusal]);
    expect(manager.renewals).toBe(0);
  });

  it('reads and writes the frames of a real channel by its own means', async () => {
    jest.useRealTimers();
    class Transport extends RabbitMqTransport {
      readonly fakeManager = new FakeManager();

      override createClient<T>(): Promise<T> {
        return Promise.resolve(this.fakeManager as T);
      }
    }
    const settings = readSettings({ TOPOLOGY: 'none', REQUEST_QUEUE: 'jobs' });
    const capacity = { prefetch: 32, concurrency: 16, longestIoWaitMs: 0 };
    const waiting = { resume: () => false } as unknown as WaitingForRoom;
    const real = new Transport(settings, capacity, { state: 'open' } as ConfirmedPublisher, waiting);
    real.handler = (delivery) => delivered.push(delivery);
    await real.listen(() => {});
    const broker = await MemoryBroker.open();
    const channel = await broker.channel();
    const decodedByAmqplib = jest.spyOn(broker.connection, 'accept');
    await real.fakeManager.connect(channel);
    expect(real.state).toBe('consuming');
    const consuming = broker.received.find(({ id }) => id === defs['BasicConsume']);
    expect(consuming?.fields).toMatchObject({ queue: 'jobs', noAck: false });

    const number = channelNumber(channel);
    const fields = { consumerTag: consuming?.fields?.['consumerTag'], exchange: '', routingKey: 'jobs' };
    const deliveries = [1, 2, 3].flatMap((deliveryTag) => [
      method('BasicDeliver', number, { ...fields, deliveryTag, redelivered: false }),
      ...contentFrames(number, {}, Buffer.from(String(deliveryTag))),
    ]);
    decodedByAmqplib.mockClear();
    broker.writes = [];
    broker.deliver(...deliveries);
    await quiet();
    expect(delivered.map(({ message }) => String(message.content))).toEqual(['1', '2', '3']);
    expect(decodedByAmqplib).not.toHaveBeenCalled();

    delivered[0]?.ack();
    delivered[2]?.ack();
    await quiet();
    expect(broker.writes).toHaveLength(1);
    expect(broker.received.map((frame) => frame.fields)).toEqual([
      { deliveryTag: 1, multiple: false },
      { deliveryTag: 3, multiple: false },
    ]);
  });

  describe('stopping', () => {
    it('cancels the consumer and waits for what is in hand', async () => {
      const channel = await consume();
      messages(2).forEach(channel.send);
      await transport.stopConsuming();
      expect(channel.asked.at(-1)).toBe('cancel');
      expect(transport.state).toBe('draining');
      let isDrained = false;
      const drained = transport.drain(1000).then(() => (isDrained = true));
      delivered[0]?.ack();
      await jest.advanceTimersByTimeAsync(999);
      expect(isDrained).toBe(false);
      delivered[1]?.ack();
      await drained;
      expect(channel.settling.settlements).toEqual(['ack 1', 'ack 2']);
    });

    it('hands back what takes longer than the drain timeout, and acks what was done', async () => {
      const channel = await consume();
      messages(2).forEach(channel.send);
      const drained = transport.drain(1000);
      delivered[0]?.ack();
      await jest.advanceTimersByTimeAsync(1000);
      await drained;
      expect(channel.settling.settlements).toEqual(['ack 1', 'nack all']);
      expect(delivered[1]?.isStale).toBe(true);
    });

    it('does not wait when nothing is in hand, or when the broker has it all again', async () => {
      const channel = await consume();
      await transport.drain(1000);
      channel.send(consumeMessage({}));
      channel.emit('close');
      const timers = jest.getTimerCount();
      await transport.drain(1000);
      expect(jest.getTimerCount()).toBe(timers);
    });

    it('leaves no consumer where its setup was under way', async () => {
      await transport.listen((error) => listening.push(error));
      const channel = new FakeChannel();
      const setup = manager.connect(channel);
      await Promise.all([setup, transport.stopConsuming()]);
      const asked = (what: string) => channel.asked.filter((entry) => entry.startsWith(what)).length;
      expect(asked('cancel')).toBe(asked('consume'));
      expect(transport.state).toBe('draining');
    });

    it('does not consume again on a connection that comes after', async () => {
      await consume();
      await transport.stopConsuming();
      const next = await manager.connect();
      expect(next.asked).toEqual([]);
      expect(transport.state).toBe('draining');
    });

    it('gives back what is in hand and closes the channel, then the connection', async () => {
      const channel = await consume();
      channel.send(consumeMessage({}));
      await transport.close();
      expect(channel.settling.settlements).toEqual(['nack all']);
      expect(manager.closed).toEqual(['channel', 'connection']);
      expect(transport.state).toBe('closed');
    });
  });
});
