import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AmqpConnectionManager } from 'amqp-connection-manager';
import type { ConfirmChannel } from 'amqplib';
import { contentFrames, method } from '../../test/support/amqplib-internals.js';
import { FakeManager } from '../../test/support/fake-channels.js';
import { ManualDelays } from '../../test/support/manual-delays.js';
import { channelNumber, MemoryBroker, quiet } from '../../test/support/memory-broker.js';
import { readSettings } from '../config/settings.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { Letter, Outgoing } from './outgoing.js';
import { PublishAbandonedError, RefusedError, TooLargeError, UnroutableError } from './publish.errors.js';

/** The publisher, over channels of a real amqplib to brokers in memory. */
class PublisherInMemory extends ConfirmedPublisher {
  readonly fakeManager = new FakeManager();

  protected override connect(): AmqpConnectionManager {
    return this.fakeManager as unknown as AmqpConnectionManager;
  }
}

/** A broker to which the publisher is connected, and what it says of the messages. */
class Connected {
  private constructor(
    readonly broker: MemoryBroker,
    private readonly channel: ConfirmChannel,
  ) {}

  static async open(publisher: PublisherInMemory): Promise<Connected> {
    const broker = await MemoryBroker.open();
    broker.model.on('error', () => {}); // it is cut
    const connected = new Connected(broker, await broker.channel());
    await publisher.fakeManager.connect(connected.channel);
    return connected;
  }

  /** The `message_id` of all that has come, in order. */
  get received(): unknown[] {
    const headers = this.broker.received.filter(({ size, content }) => size !== undefined && !content);
    return headers.map(({ fields }) => fields?.['messageId']);
  }

  async ack(deliveryTag: number, multiple = false): Promise<void> {
    this.broker.deliver(method('BasicAck', this.number, { deliveryTag, multiple }));
    await quiet();
  }

  async nack(deliveryTag: number): Promise<void> {
    this.broker.deliver(method('BasicNack', this.number, { deliveryTag, multiple: false }));
    await quiet();
  }

  /** Says that a message has no queue; the confirm follows. */
  return(messageId: string): void {
    this.broker.deliver(
      method('BasicReturn', this.number, { replyCode: 312, exchange: '', routingKey: 'answers' }),
      ...contentFrames(this.number, { messageId }, Buffer.from('{}')),
    );
  }

  closeChannel(replyText: string): void {
    const reason = { replyCode: 406, replyText, classId: 60, methodId: 40 };
    this.broker.deliver(method('ChannelClose', this.number, reason));
  }

  /** Breaks the connection, as the network does. */
  async cut(): Promise<void> {
    this.broker.destroy(new Error('cut'));
    await quiet();
  }

  private get number(): number {
    return channelNumber(this.channel);
  }
}

/** In whole ms: a sum or difference of others may be rounded, and 5 s come out as a little less. */
const start = Math.floor(performance.now());
/** Has the clock show `ms` since then. */
const at = (ms: number) => jest.spyOn(performance, 'now').mockReturnValue(start + ms);

const wanted = { isStale: false };
const answer = (messageId: string): Outgoing => ({
  queue: 'answers',
  body: '{}',
  type: 'inference.result',
  messageId,
  mandatory: true,
});
const letter = (messageId: string): Letter => ({
  queue: 'answers',
  content: Buffer.from('{}'),
  options: { messageId, mandatory: true },
});

const withBytes = (message: Outgoing, bytes: number): Outgoing =>
  'body' in message ? { ...message, body: 'x'.repeat(bytes) } : { ...message, content: Buffer.alloc(bytes) };

describe.each([
  ['an answer', answer],
  ['a letter', letter],
])('ConfirmedPublisher, of %s,', (_, message) => {
  let publisher: PublisherInMemory;
  let open: Connected[];
  /** What became of each publish, in order of publishing. */
  let outcomes: string[];

  beforeEach(() => {
    publisher = new PublisherInMemory(readSettings({ RESULTS_QUEUE: 'answers' }));
    publisher.start();
    [open, outcomes] = [[], []];
  });
  afterEach(async () => {
    for (const { broker } of open) broker.destroy();
  });

  async function connect(): Promise<Connected> {
    const connected = await Connected.open(publisher);
    open.push(connected);
    await quiet();
    return connected;
  }

  async function publish(messageId: string, purpose = wanted): Promise<void> {
    const index = outcomes.push('') - 1;
    publisher.publish(message(messageId), purpose).then(
      () => (outcomes[index] += 'confirmed'),
      (error: Error) => (outcomes[index] += error.name),
    );
    await quiet();
  }

  it('says that it is confirmed once the broker has said so, of each its own', async () => {
    const broker = await connect();
    for (const id of ['a', 'b', 'c']) await publish(id);
    expect(broker.received).toEqual(['a', 'b', 'c']);
    expect(outcomes).toEqual(['', '', '']);
    await broker.ack(2);
    expect(outcomes).toEqual(['', 'confirmed', '']);
    await broker.ack(3, true);
    expect(outcomes).toEqual(['confirmed', 'confirmed', 'confirmed']);
  });

  it('says that it is unroutable when the broker returns it', async () => {
    const broker = await connect();
    await publish('a');
    await publish('b');
    broker.return('a');
    await broker.ack(2, true);
    expect(outcomes).toEqual([UnroutableError.name, 'confirmed']);
  });

  it('tells as many of the same id apart as were returned', async () => {
    const broker = await connect();
    for (const id of ['a', 'a', 'a']) await publish(id);
    broker.return('a');
    broker.return('a');
    await broker.ack(1);
    await broker.ack(2);
    await broker.ack(3);
    expect(outcomes).toEqual([UnroutableError.name, UnroutableError.name, 'confirmed']);
    await publish('a');
    await broker.ack(4);
    expect(outcomes[3]).toBe('confirmed');
  });

  it('waits for a connection, and then goes out in order', async () => {
    for (const id of ['a', 'b']) await publish(id);
    expect(publisher.state).toBe('closed');
    const broker = await connect();
    expect(publisher.state).toBe('open');
    expect(broker.received).toEqual(['a', 'b']);
    await broker.ack(2, true);
    expect(outcomes).toEqual(['confirmed', 'confirmed']);
  });

  it('sends again, under the same id and in order, what was not confirmed when the connection was lost', async () => {
    const first = await connect();
    for (const id of ['a', 'b', 'c']) await publish(id);
    await first.ack(2);
    await first.cut();
    expect(publisher.state).toBe('closed');
    await publish('d');
    const second = await connect();
    expect(second.received).toEqual(['a', 'c', 'd']);
    await second.ack(3, true);
    expect(outcomes).toEqual(Array(4).fill('confirmed'));
  });

  it('forgets what the broker returned on a connection that is gone', async () => {
    const first = await connect();
    await publish('a');
    first.return('a');
    await quiet();
    await first.cut();
    const second = await connect();
    await second.ack(1);
    expect(outcomes).toEqual(['confirmed']);
  });

  it('gives up what is not wanted any more by the time it could be sent (again)', async () => {
    const purpose = { isStale: true };
    await publish('a', purpose);
    expect(outcomes).toEqual([PublishAbandonedError.name]);
    const first = await connect();
    purpose.isStale = false;
    await publish('b', purpose);
    await publish('c');
    purpose.isStale = true;
    await first.cut();
    const second = await connect();
    expect(second.received).toEqual(['c']);
    expect(outcomes.slice(1)).toEqual([PublishAbandonedError.name, '']);
  });

  it('gives up what is not confirmed when it is closed, and what comes later', async () => {
    const broker = await connect();
    await publish('a');
    await publisher.close();
    await broker.cut(); // which is what closing does
    await publish('b');
    expect(outcomes).toEqual([PublishAbandonedError.name, PublishAbandonedError.name]);
  });

  it('gives up what waits for a connection when it is closed', async () => {
    await publish('a');
    await publisher.close();
    await quiet();
    expect(outcomes).toEqual([PublishAbandonedError.name]);
  });

  it('gives up a direct reply with which two connections were lost: RabbitMQ 3 closes them for a wrong name', async () => {
    const reply = publisher.publish({ ...message('a'), queue: 'amq.rabbitmq.reply-to.x.y' }, wanted);
    const outcome = reply.catch((error: unknown) => error);
    await publish('b');
    for (let connection = 1; connection <= 2; connection++) {
      const broker = await connect();
      expect(broker.received).toEqual(['a', 'b']);
      await broker.cut();
    }
    expect(await outcome).toBeInstanceOf(UnroutableError);
    expect((await connect()).received).toEqual(['b']);
  });

  it('says while the broker blocks publishing, and no longer on a new connection', async () => {
    await connect();
    publisher.fakeManager.emit('blocked', {});
    expect(publisher.state).toBe('blocked');
    publisher.fakeManager.emit('unblocked');
    expect(publisher.state).toBe('open');
    publisher.fakeManager.emit('blocked', {});
    await connect();
    expect(publisher.state).toBe('open');
  });

  it('refuses what is too large for the broker, which closes the channel for it, and sends the others again', async () => {
    const first = await connect();
    const large = publisher.publish(withBytes(message('large'), 3), wanted);
    large.catch(() => {});
    await publish('small');
    first.closeChannel('PRECONDITION_FAILED - message size 3 is larger than configured max size 2');
    await quiet();
    expect(publisher.fakeManager.renewals).toBe(1);
    await first.cut();
    const second = await connect();
    await expect(large).rejects.toThrow(/3 bytes, the broker takes 2/);
    expect(second.received).toEqual(['small']);
    await second.ack(1);
    expect(outcomes).toEqual(['confirmed']);
    await expect(publisher.publish(withBytes(message('large'), 3), wanted)).rejects.toBeInstanceOf(
      TooLargeError,
    );
  });

  it('refuses what AMQP cannot encode, and keeps the others in step with their confirms', async () => {
    const broker = await connect();
    await publish('a');
    await publish('x'.repeat(300));
    await publish('c');
    expect(outcomes).toEqual(['', TypeError.name, '']);
    await broker.ack(2);
    expect(outcomes).toEqual(['', TypeError.name, 'confirmed']);
    await broker.ack(1);
    expect(outcomes[0]).toBe('confirmed');
  });

  describe('when a queue that is full refuses it,', () => {
    const delays = new ManualDelays();

    /** Ends all that run, and those that start meanwhile. */
    const endDelays = async () => {
      while (delays.running > 0) {
        await delays.end();
        await quiet();
      }
    };

    it('sends it again after a while, until it is confirmed', async () => {
      const broker = await connect();
      await publish('a');
      expect(publisher.isRefused).toBe(false);
      for (let tag = 1; tag <= 3; tag++) {
        await broker.nack(tag);
        expect(outcomes).toEqual(['']);
        expect(publisher.isRefused).toBe(true);
        expect(broker.received).toHaveLength(tag);
        expect(await delays.end()).toBeGreaterThan(0);
        await quiet();
        expect(broker.received).toEqual(Array(tag + 1).fill('a'));
      }
      await broker.ack(4);
      expect(outcomes).toEqual(['confirmed']);
    });

    if ('body' in message('a'))
      describe('for long, and is an answer,', () => {
        const elsewhere = { ...answer('other'), queue: 'other' };
        afterEach(() => {
          jest.restoreAllMocks();
        });

        it('waits for room in RESULTS_QUEUE as long as it takes, while no answer goes anywhere else', async () => {
          at(0);
          const broker = await connect();
          await publish('a');
          for (const [index, ms] of [0, 3_000, 6_000, 9_000].entries()) {
            at(ms);
            await broker.nack(index + 1);
            expect(outcomes).toEqual(['']);
            await delays.end();
            await quiet();
          }
        });

        it('goes out on another channel after 10 s: RabbitMQ 3.10 may refuse it on this one for ever', async () => {
          at(0);
          const first = await connect();
          await publish('a');
          for (const [index, ms] of [0, 4_000, 8_000, 12_000].entries()) {
            at(ms);
            await first.nack(index + 1);
            await delays.end();
            await quiet();
          }
          const second = await connect();
          await first.nack(5);
          expect(second.received).toEqual(['a']);
          await second.ack(1);
          expect(outcomes).toEqual(['confirmed']);
          await delays.end();
          expect(publisher.fakeManager.closed).toEqual(['channel']);
        });

        it('is given up after 5 s if it is an answer, and others go out: its place may be theirs', async () => {
          at(0);
          const broker = await connect();
          let refusal: unknown;
          publisher.publish(message('a'), wanted).catch((error: unknown) => (refusal = error));
          await quiet();
          await broker.nack(1);
          await delays.end();
          await quiet();
          at(4_900);
          void publisher.publish(elsewhere, wanted);
          await quiet();
          await broker.nack(2);
          await broker.ack(3);
          expect(refusal).toBeUndefined();
          await delays.end();
          await quiet();
          at(5_000);
          await broker.nack(4);
          expect(refusal).toBeUndefined(); // RabbitMQ 3.10 may refuse it on this channel for ever
          const second = await connect();
          await endDelays();
          expect(second.received).toEqual(['a']);
          await second.nack(1);
          expect(refusal).toMatchObject({ name: RefusedError.name, isItsOwnFault: false }); // RESULTS_QUEUE is everybody's
          await endDelays();
        });
      });

    if ('body' in message('a'))
      describe('for long, and is an answer for a queue of one requester,', () => {
        afterEach(() => {
          jest.restoreAllMocks();
        });

        /** What became of one that the broker refuses at once. */
        const refused = async (broker: Connected, tag: number): Promise<unknown> => {
          const published = publisher.publish({ ...answer('a'), queue: 'its own' }, wanted);
          const outcome = published.then(
            () => 'confirmed',
            (error: unknown) => error,
          );
          await quiet();
          await broker.nack(tag);
          return Promise.race([outcome, quiet().then(() => 'waits')]);
        };

        it('is given up after 5 s and on another channel, not by its own fault: no others are taken either', async () => {
          at(0);
          const first = await connect();
          expect(await refused(first, 1)).toBe('waits');
          at(5_000);
          expect(await refused(first, 2)).toBe('waits');
          const second = await connect();
          const refusal = await refused(second, 1);
          expect(refusal).toBeInstanceOf(RefusedError);
          expect(refusal).toMatchObject({ queue: 'its own', isItsOwnFault: false });
          await endDelays();
        });

        it('is tried on another channel each 10 s, also while all are given up at once', async () => {
          at(0);
          const first = await connect();
          await refused(first, 1);
          at(5_000);
          await refused(first, 2);
          const second = await connect();
          await endDelays();
          for (const [tag, ms] of [3, 4, 5].map((index) => [index, 4_000 * index] as const)) {
            at(ms - 3_000);
            expect(await refused(second, tag)).toBeInstanceOf(RefusedError);
          }
          await endDelays();
          expect(publisher.fakeManager.closed).toEqual(['channel', 'channel']);
        });
      });

    if (!('body' in message('a')))
      describe('for a second, and is a letter,', () => {
        afterEach(() => {
          jest.restoreAllMocks();
        });

        /** Has a letter refused for a second, on two channels. @returns the second */
        async function refuseForASecond(): Promise<Connected> {
          at(0);
          const first = await connect();
          await publish('a');
          await first.nack(1);
          at(1_000);
          await delays.end();
          await quiet();
          await first.nack(2);
          expect(outcomes).toEqual(['']); // RabbitMQ 3.10 may refuse it on this channel for ever
          const second = await connect();
          await endDelays();
          expect(second.received).toEqual(['a']);
          await second.nack(1);
          return second;
        }

        it('is given up: it can be put aside', async () => {
          await refuseForASecond();
          expect(outcomes).toEqual([RefusedError.name]);
          expect(publisher.fullQueues.names).toEqual(['answers']);
        });

        it('is given up at once after another one was, but for one now and then, until one is taken', async () => {
          const broker = await refuseForASecond();
          at(1_499);
          await publish('b');
          expect(outcomes[1]).toBe(RefusedError.name);
          at(1_500);
          await publish('c');
          await publish('d');
          expect(broker.received).toEqual(['a', 'c']);
          expect(outcomes.slice(2)).toEqual(['', RefusedError.name]);
          await broker.nack(2);
          expect(outcomes[2]).toBe(RefusedError.name);
          at(2_000);
          await publish('e');
          await broker.ack(3);
          await publish('f');
          expect(broker.received).toEqual(['a', 'c', 'e', 'f']);
          expect(publisher.fullQueues.names).toEqual([]);
        });

        it('is given up at once when the worker is about to end', async () => {
          at(0);
          const broker = await connect();
          await publish('a');
          await broker.nack(1);
          publisher.hurry();
          await quiet();
          await broker.nack(2);
          expect(outcomes).toEqual([RefusedError.name]);
          await endDelays();
        });

        it('is tried on another channel each 10 s, also while all are given up at once', async () => {
          const second = await refuseForASecond();
          for (const [index, ms] of [4_000, 8_000, 12_000].entries()) {
            at(ms);
            await publish('b');
            await second.nack(index + 2);
          }
          await endDelays();
          expect(publisher.fakeManager.closed).toEqual(['channel', 'channel']);
        });
      });

    it('sends it again on the next connection when this one is lost meanwhile', async () => {
      const first = await connect();
      await publish('a');
      await first.nack(1);
      await first.cut();
      await delays.end();
      await quiet();
      const second = await connect();
      expect(second.received).toEqual(['a']);
      await second.ack(1);
      expect(outcomes).toEqual(['confirmed']);
    });

    it('gives it up when it is not wanted any more by then', async () => {
      const purpose = { isStale: false };
      const broker = await connect();
      await publish('a', purpose);
      await broker.nack(1);
      purpose.isStale = true;
      await delays.end();
      await quiet();
      expect(broker.received).toEqual(['a']);
      expect(outcomes).toEqual([PublishAbandonedError.name]);
    });
  });
});
