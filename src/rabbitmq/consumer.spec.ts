import { describe, expect, it } from '@jest/globals';
import { deferred } from '../../test/support/deferred.js';
import { FakeChannel } from '../../test/support/fake-channels.js';
import { consumeMessage } from '../../test/support/messages.js';
import type { Channel, ConsumeMessage } from 'amqplib';
import { AckCoalescer } from './ack.coalescer.js';
import { Consumer } from './consumer.js';
import type { Delivery } from './delivery.js';

function consumerOf(channel = new FakeChannel()) {
  const acks = new AckCoalescer(channel);
  const received: (ConsumeMessage | null)[] = [];
  const consumer = new Consumer(
    channel as unknown as Channel,
    acks,
    { queue: 'jobs', name: 'worker', canGet: true },
    (message) => void received.push(message),
  );
  return { channel, acks, received, consumer };
}

const taken = (tag: number) => ({ message: consumeMessage({}, {}, tag) }) as Delivery;

describe('Consumer', () => {
  it('begins with the number of messages that it may hold', async () => {
    const { channel, consumer } = consumerOf();
    await consumer.resize(32);
    expect(channel.asked).toEqual(['prefetch 32', 'consume jobs']);
    expect(consumer.size).toBe(32);
  });

  it('is cancelled and begins again to hold another number', async () => {
    const { channel, consumer } = consumerOf();
    await consumer.resize(32);
    await consumer.resize(1);
    expect(channel.asked.slice(2)).toEqual(['get jobs', 'cancel', 'prefetch 1', 'consume jobs']);
    await consumer.resize(1);
    expect(channel.asked).toHaveLength(6);
  });

  it('does what was wished last, when wishes come faster than the broker answers', async () => {
    const { channel, consumer } = consumerOf();
    await Promise.all([consumer.resize(32), consumer.resize(1), consumer.resize(0), consumer.resize(6)]);
    expect(channel.asked.at(-1)).toBe('consume jobs');
    expect(channel.asked).toContain('prefetch 6');
    expect(consumer.size).toBe(6);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'loses no wish that comes %i microtasks after the broker has answered the one before',
    async (depth) => {
      const { channel, consumer } = consumerOf();
      const consume = channel.consume.bind(channel);
      channel.consume = async (queue, onMessage) => {
        await consume(queue, onMessage);
        const wish = (left: number): void =>
          left > 0 ? queueMicrotask(() => wish(left - 1)) : void consumer.resize(0);
        wish(depth);
      };
      await consumer.resize(32);
      await new Promise<void>((resolve) => setImmediate(resolve));
      expect([consumer.size, channel.asked.at(-1)]).toEqual([0, 'cancel']);
    },
  );

  it('sends no ack while it is being cancelled, and all of them afterwards', async () => {
    const { channel, acks, consumer } = consumerOf();
    await consumer.resize(32);
    const cancelled = deferred();
    channel.cancel = () => cancelled.promise;
    acks.take(taken(1));
    const stopping = consumer.resize(0);
    acks.ack(taken(1));
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(channel.settling.settlements).toEqual([]);
    cancelled.resolve();
    await stopping;
    expect(channel.settling.settlements).toEqual(['ack 1']);
  });

  it('takes the message that it fetches before it is cancelled', async () => {
    const { channel, received, consumer } = consumerOf();
    await consumer.resize(32);
    const last = consumeMessage({});
    channel.waiting.push(last);
    await consumer.resize(0);
    expect(received).toEqual([last]);
  });

  it('is no more once its channel is gone', async () => {
    const { channel, acks, consumer } = consumerOf();
    await consumer.resize(32);
    channel.cancel = () => Promise.reject(new Error('Channel closed'));
    const stopping = consumer.resize(1);
    acks.close();
    await stopping;
    expect(channel.asked).not.toContain('prefetch 1');
  });

  it('says why it could not begin', async () => {
    const { channel, consumer } = consumerOf();
    channel.refusal = new Error('no queue');
    await expect(consumer.resize(32)).rejects.toThrow('no queue');
    expect(consumer.size).toBe(0);
  });
});
