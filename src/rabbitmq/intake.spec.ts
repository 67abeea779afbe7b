import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { FakeChannel, FakeManager, FakeTransport } from '../../test/support/fake-channels.js';
import { consumeMessage } from '../../test/support/messages.js';
import { readSettings } from '../config/settings.js';
import { Delivery } from './delivery.js';

const PREFETCH = 32;
const COHORT = 6;

/** A message that was in hand at so many crashes. */
const suspect = (tag: number, crashes = 1) =>
  consumeMessage({}, { messageId: `m${tag}`, headers: { 'x-delivery-count': crashes } }, tag, true);
const innocent = (tag: number) => consumeMessage({}, { messageId: `m${tag}` }, tag);

describe('Intake', () => {
  let transport: FakeTransport;
  let manager: FakeManager;
  let delivered: Delivery[];

  beforeEach(async () => {
    Logger.overrideLogger(false);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
    transport = new FakeTransport(readSettings({ TOPOLOGY: 'none', REQUEST_QUEUE: 'jobs' }), {
      prefetch: PREFETCH,
      concurrency: 16,
      longestIoWaitMs: 0,
    });
    manager = transport.fakeManager;
    delivered = [];
    transport.handler = (delivery) => delivered.push(delivery);
    await transport.listen(() => {});
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const turn = () => jest.advanceTimersByTimeAsync(0);
  const consumers = ({ asked }: FakeChannel) => asked.filter((what) => /^(prefetch|cancel)/.test(what));

  /** Settles everything in hand. */
  async function settleAll(): Promise<void> {
    for (const delivery of delivered.splice(0)) delivery.ack();
    await turn();
  }

  /** One message after the other, each settled before the next. */
  async function oneByOne(channel: FakeChannel, count: number, from: number): Promise<void> {
    for (let tag = from; tag < from + count; tag++) {
      channel.send(innocent(tag));
      await settleAll();
    }
  }

  it('takes all that it may when the queue is empty, or an innocent at its head', async () => {
    expect(consumers(await manager.connect())).toEqual([`prefetch ${PREFETCH}`]);
    const channel = new FakeChannel();
    channel.waiting.push(innocent(1));
    await manager.connect(channel);
    expect(consumers(channel)).toEqual([`prefetch ${PREFETCH}`]);
    expect(delivered).toHaveLength(1);
  });

  it('settles a suspect at the head of the queue before it takes anything else', async () => {
    const channel = new FakeChannel();
    channel.waiting.push(suspect(1));
    await manager.connect(channel);
    expect(channel.asked).toEqual(['get jobs']);
    expect(transport.state).toBe('connecting');
    await settleAll();
    expect(consumers(channel)).toEqual([`prefetch ${COHORT}`]);
    expect(transport.state).toBe('consuming');
  });

  it.each([
    [1, COHORT],
    [2, 1],
    [3, 1],
  ])('after %i crashes settles all that is in hand, then takes %i at a time', async (crashes, size) => {
    const channel = await manager.connect();
    channel.send(innocent(1));
    channel.send(suspect(2, crashes));
    await turn();
    expect(consumers(channel)).toEqual([`prefetch ${PREFETCH}`, 'cancel']);
    delivered.shift()?.ack();
    await turn();
    expect(consumers(channel)).toHaveLength(2);
    await settleAll();
    expect(consumers(channel).slice(2)).toEqual([`prefetch ${size}`]);
  });

  it('is ready all the while', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1));
    await turn();
    expect(transport.state).toBe('consuming');
  });

  it('goes on with a consumer that is small enough', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1));
    await turn();
    await settleAll();
    const before = consumers(channel).length;
    channel.send(suspect(2));
    channel.send(suspect(3));
    await settleAll();
    expect(consumers(channel)).toHaveLength(before);
  });

  it('takes all again after ten messages that are no suspects', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1, 2));
    await turn();
    await settleAll();
    await oneByOne(channel, 9, 2);
    expect(consumers(channel).at(-1)).toBe('prefetch 1');
    await oneByOne(channel, 1, 11);
    expect(consumers(channel).slice(-2)).toEqual(['cancel', `prefetch ${PREFETCH}`]);
  });

  it('takes all again when nothing has come for a second', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1, 2));
    await turn();
    await settleAll();
    channel.send(innocent(2));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(consumers(channel).at(-1)).toBe('prefetch 1');
    await settleAll();
    await jest.advanceTimersByTimeAsync(999);
    expect(consumers(channel).at(-1)).toBe('prefetch 1');
    await jest.advanceTimersByTimeAsync(1);
    expect(consumers(channel).at(-1)).toBe(`prefetch ${PREFETCH}`);
  });

  it('suspects nothing that it had in hand when a channel was lost, nor what may have been settled', async () => {
    const channel = await manager.connect();
    for (let tag = 1; tag <= 10; tag++) channel.send(innocent(tag));
    for (const delivery of delivered.splice(0, 5)) delivery.ack();
    await turn();
    channel.emit('close');
    const next = await manager.connect();
    for (let tag = 1; tag <= 10; tag++) next.send(suspect(tag));
    await turn();
    expect(consumers(next)).toEqual([`prefetch ${PREFETCH}`]);
    next.send(suspect(11, 2));
    await turn();
    expect(consumers(next).at(-1)).toBe('cancel');
  });

  describe('with more suspects in hand than a crash may take along', () => {
    const crowd = (headers: object) =>
      [1, 2, 3].map((tag) =>
        consumeMessage(
          {},
          { messageId: `m${tag}`, headers: { 'x-delivery-count': 2, ...headers } },
          tag,
          true,
        ),
      );

    it('hands the others back once nothing more comes, where RabbitMQ does not count that', async () => {
      const channel = await manager.connect();
      crowd({ 'x-acquired-count': 2 }).forEach(channel.send);
      expect(channel.settling.settlements).toEqual([]);
      await turn();
      expect(channel.asked.at(-1)).toBe('cancel');
      expect(channel.settling.settlements).toEqual(['nack 2', 'nack 3']);
      expect(delivered.map(({ message }) => message.fields.deliveryTag)).toEqual([1]);
      await settleAll();
      expect(consumers(channel).at(-1)).toBe('prefetch 1');
      expect(transport.inHand).toBe(0);
    });

    it('keeps them where to go back counts as much as a crash', async () => {
      const channel = await manager.connect();
      crowd({}).forEach(channel.send);
      await turn();
      expect(channel.settling.settlements).toEqual([]);
      expect(delivered).toHaveLength(3);
    });
  });

  it('takes no more than before while a suspect is in hand, whatever else is settled', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1));
    await turn();
    await settleAll();
    channel.send(suspect(2));
    const held = delivered.pop();
    await oneByOne(channel, 20, 3);
    expect(consumers(channel).at(-1)).toBe(`prefetch ${COHORT}`);
    held?.ack();
    await oneByOne(channel, 10, 23);
    expect(consumers(channel).at(-1)).toBe(`prefetch ${PREFETCH}`);
  });

  it('suspects nothing that it has handed back itself', async () => {
    const channel = await manager.connect();
    channel.send(innocent(1));
    delivered[0]?.handBack();
    channel.send(suspect(1));
    await turn();
    expect(consumers(channel)).toEqual([`prefetch ${PREFETCH}`]);
  });

  it('takes nothing more once it is stopped, also when the suspect is settled then', async () => {
    const channel = await manager.connect();
    channel.send(innocent(1));
    channel.send(suspect(2));
    await transport.stopConsuming();
    await settleAll();
    await jest.advanceTimersByTimeAsync(5_000);
    expect(consumers(channel)).toEqual([`prefetch ${PREFETCH}`, 'cancel']);
  });

  it('begins anew on the next channel when one is lost with a suspect in hand', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1, 2));
    await turn();
    channel.emit('close');
    const next = await manager.connect();
    expect(consumers(next)).toEqual(['prefetch 32']);
  });
});
