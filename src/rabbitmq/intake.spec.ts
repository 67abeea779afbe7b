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

  const tags = () => delivered.map(({ message }) => message.fields.deliveryTag);

  /** Settles everything in hand. */
  async function settleAll(): Promise<void> {
    for (const delivery of delivered.splice(0)) delivery.ack();
    await turn();
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
    channel.waiting.push(suspect(1), suspect(2), suspect(3));
    await manager.connect(channel);
    await turn();
    expect(channel.asked).toEqual(['get jobs']);
    await settleAll();
    expect(tags()).toEqual([2, 3]);
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
    for (let tag = 3; tag < 3 + 2 * COHORT; tag++) channel.waiting.push(suspect(tag, crashes));
    delivered.shift()?.ack();
    await turn();
    expect(tags()).toEqual([2]);
    await settleAll();
    expect(delivered).toHaveLength(size);
    delivered.shift()?.ack();
    await turn();
    expect(delivered).toHaveLength(size === 1 ? 1 : size - 1); // the next come together
    expect(consumers(channel)).toHaveLength(2);
  });

  it('sends away what is more suspect than those in hand, and takes it alone when it comes again', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1));
    await turn();
    const worse = (tag: number) =>
      consumeMessage(
        {},
        { messageId: 'worse', headers: { 'x-delivery-count': 2, 'x-acquired-count': 2 } },
        tag,
        true,
      );
    channel.waiting.push(suspect(2), worse(3), suspect(4));
    await settleAll();
    expect(tags()).toEqual([2]);
    expect(channel.settling.settlements).toContain('nack 3');
    channel.waiting.unshift(worse(5));
    await settleAll();
    expect(tags()).toEqual([5]);
  });

  it('is ready all the while', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1));
    await turn();
    expect(transport.state).toBe('consuming');
  });

  it('takes all again after ten messages that are no suspects', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1, 2));
    await turn();
    for (let tag = 2; tag < 20; tag++) channel.waiting.push(innocent(tag));
    for (let settled = 0; settled < 10; settled++) {
      await settleAll();
      expect(delivered).toHaveLength(1);
    }
    expect(consumers(channel).at(-1)).toBe('cancel');
    await settleAll();
    expect(consumers(channel).slice(-2)).toEqual(['cancel', `prefetch ${PREFETCH}`]);
  });

  it('takes all again when the queue is empty', async () => {
    const channel = await manager.connect();
    channel.send(suspect(1, 2));
    await turn();
    channel.waiting.push(innocent(2));
    await settleAll();
    expect(consumers(channel).at(-1)).toBe('cancel');
    await settleAll();
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
      expect(tags()).toEqual([1]);
      await settleAll();
      expect(transport.inHand).toBe(0);
    });

    it('puts copies of the others to the end, with what is held against them, where going back counts', async () => {
      const channel = await manager.connect();
      crowd({ own: 1 }).forEach(channel.send);
      await turn();
      const { letters } = transport.publisher;
      expect(letters.map(({ queue, options }) => [queue, options.messageId, options.headers])).toEqual([
        ['jobs', 'm2', { own: 1, 'x-onnxmq-attempts': 0, 'x-onnxmq-crashes': 2 }],
        ['jobs', 'm3', { own: 1, 'x-onnxmq-attempts': 0, 'x-onnxmq-crashes': 2 }],
      ]);
      await turn();
      expect(channel.settling.settlements).toEqual([]);
      expect(tags()).toEqual([]); // if it killed this worker, the others would have been in hand
      for (const letter of letters) letter.confirm();
      await turn();
      expect(channel.settling.settlements).toEqual(['ack 2', 'ack 3']);
      expect(tags()).toEqual([1]);
    });

    it('keeps the most suspect: the others have not been sent away as often', async () => {
      const channel = await manager.connect();
      for (const tag of [1, 2]) channel.send(suspect(tag));
      channel.send(suspect(3, 3));
      await turn();
      const { letters } = transport.publisher;
      expect(letters.map(({ options }) => options.messageId)).toEqual(['m1', 'm2']);
      for (const letter of letters) letter.confirm();
      await turn();
      expect(tags()).toEqual([3]);
    });

    it('takes nevertheless what cannot be copied', async () => {
      const channel = await manager.connect();
      crowd({}).forEach(channel.send);
      await turn();
      for (const letter of transport.publisher.letters) letter.refuse(new RangeError('too large'));
      await turn();
      expect(channel.settling.settlements).toEqual([]);
      expect(new Set(tags())).toEqual(new Set([1, 2, 3]));
    });

    it('suspects such a copy as much as what it is a copy of', async () => {
      const channel = await manager.connect();
      channel.send(consumeMessage({}, { headers: { 'x-onnxmq-attempts': 0, 'x-onnxmq-crashes': 4 } }, 1));
      await turn();
      expect(delivered[0]?.suspicion).toMatchObject({ crashes: 4, company: 1, isConclusive: true });
    });

    it('suspects no dead letter that is moved back, also where RabbitMQ itself gave up such a copy', async () => {
      const channel = await manager.connect();
      const died = (queue: string) => ({ 'x-death': [{ queue, reason: 'delivery_limit', count: 1 }] });
      const condemned = { 'x-onnxmq-attempts': 3, 'x-onnxmq-crashes': 4, 'x-onnxmq-deadline': 5 };
      channel.send(consumeMessage({}, { headers: { 'x-error-code': 'CRASH_SUSPECT', 'x-crashes': 4 } }, 1));
      channel.send(consumeMessage({}, { headers: { ...condemned, ...died('jobs') } }, 2));
      channel.send(consumeMessage({}, { headers: { ...condemned, ...died('jobs.retry.100') } }, 3));
      await turn();
      expect(delivered.map(({ suspicion, attempts }) => [suspicion.crashes, attempts])).toEqual([
        [0, 1],
        [0, 1],
        [4, 4],
      ]);
      expect(delivered[1]?.message.properties.headers).toEqual(died('jobs'));
    });
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

  describe('of a queue with a single active consumer, which allows no fetching,', () => {
    const REFUSAL = 'Operation failed: BasicGet; 405 (RESOURCE-LOCKED)';
    let channel: FakeChannel;

    beforeEach(async () => {
      const refusing = new FakeChannel();
      refusing.get = () => Promise.reject(new Error(REFUSAL));
      await manager.connect(refusing);
      refusing.emit('close'); // by the broker
      channel = await manager.connect();
    });

    it('begins with one message, and takes all that it may after an innocent', async () => {
      expect(channel.asked).toEqual(['prefetch 1', 'consume jobs']);
      expect(transport.state).toBe('consuming');
      channel.send(innocent(1));
      await turn();
      expect(channel.asked.slice(2)).toEqual([
        'check jobs',
        'cancel',
        `prefetch ${PREFETCH}`,
        'consume jobs',
      ]);
      expect(tags()).toEqual([1]);
    });

    it('settles a suspect at the head of the queue before it takes anything else, then no more than it allows', async () => {
      channel.send(suspect(1));
      await turn();
      expect(tags()).toEqual([1]);
      expect(consumers(channel)).toEqual(['prefetch 1', 'cancel']);
      await settleAll();
      expect(consumers(channel).slice(2)).toEqual([`prefetch ${COHORT}`]);
    });

    it('settles all that is in hand when a suspect comes in, then takes one at a time', async () => {
      channel.send(innocent(1));
      await turn();
      channel.send(suspect(2, 2));
      await turn();
      expect(consumers(channel).slice(-2)).toEqual([`prefetch ${PREFETCH}`, 'cancel']);
      expect(tags()).toEqual([1, 2]);
      await settleAll();
      expect(consumers(channel).at(-1)).toBe('prefetch 1');
    });

    it('tries one message in an outage by a consumer that may hold no other', async () => {
      channel.send(innocent(1));
      await settleAll();
      await transport.pause.begin();
      const found = transport.pause.takeOne();
      await turn();
      channel.send(innocent(2));
      await turn();
      expect(consumers(channel).slice(-2)).toEqual(['prefetch 1', 'cancel']);
      await settleAll();
      expect(await found).toBe('taken');
    });

    it('finds nothing in an outage where another consumer is the active one', async () => {
      await transport.pause.begin();
      const found = transport.pause.takeOne();
      await jest.advanceTimersByTimeAsync(1_000);
      expect(await found).toBe('nothing');
    });
  });

  describe('with messages in hand that rest, for want of room in a queue,', () => {
    it('fetches others nevertheless while suspects are about, but no more than may be in hand', async () => {
      const channel = await manager.connect();
      channel.send(suspect(1, 2));
      await turn();
      await settleAll();
      for (let tag = 2; tag < 2 + 2 * PREFETCH; tag++) channel.waiting.push(innocent(tag));
      transport.handler = (delivery) => {
        delivered.push(delivery);
        void delivery.rest(60_000);
      };
      channel.send(suspect(100, 2));
      await turn();
      expect(transport.inHand).toBeLessThanOrEqual(PREFETCH);
      expect(transport.inHand).toBeGreaterThan(2);
    });

    it('drains at once, and hands them back', async () => {
      const channel = await manager.connect();
      channel.send(innocent(1));
      void delivered[0]?.rest(60_000);
      await transport.stopConsuming();
      await transport.drain(60_000);
      expect(channel.settling.settlements).toEqual(['nack all']);
    });
  });
});
