import { describe, expect, it } from '@jest/globals';
import type { ConsumeMessage } from 'amqplib';
import * as fc from 'fast-check';
import { consumeMessage, SettlingChannel } from '../../test/support/messages.js';
import { AckCoalescer } from './ack.coalescer.js';

interface Taken {
  readonly message: ConsumeMessage;
  readonly receivedAt: number;
}

const taken = (deliveryTag: number, receivedAt = deliveryTag): Taken => ({
  message: consumeMessage({}, {}, deliveryTag),
  receivedAt,
});

function withInHand(...tags: number[]) {
  const channel = new SettlingChannel();
  const acks = new AckCoalescer<Taken>(channel);
  for (const tag of tags) acks.take(taken(tag));
  return { channel, acks };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A broker's end of a channel: closes it (406) upon a settlement of a tag that is not outstanding. */
class StrictChannel {
  readonly outstanding = new Set<number>();
  readonly settled: number[] = [];
  /** What the worker still works on: a `multiple` ack must not cover it. */
  readonly inHand = new Set<number>();

  ack({ fields }: ConsumeMessage, allUpTo = false): void {
    this.expectOutstanding(fields.deliveryTag);
    for (const tag of this.outstanding)
      if (tag === fields.deliveryTag || (allUpTo && tag < fields.deliveryTag)) this.settle(tag);
  }

  nack({ fields }: ConsumeMessage): void {
    this.expectOutstanding(fields.deliveryTag);
    this.settle(fields.deliveryTag);
  }

  nackAll(): void {
    for (const tag of this.outstanding) {
      this.inHand.delete(tag);
      this.settle(tag);
    }
  }

  private expectOutstanding(tag: number): void {
    if (!this.outstanding.has(tag)) throw new Error(`406: unknown delivery tag ${tag}`);
  }

  private settle(tag: number): void {
    if (this.inHand.has(tag)) throw new Error(`delivery ${tag} is still in hand`);
    this.outstanding.delete(tag);
    this.settled.push(tag);
  }
}

type Step = 'take' | 'ack' | 'nack' | 'flush' | 'hold' | 'release';

describe('AckCoalescer', () => {
  it('sends the acks of one turn of the event loop as one', async () => {
    const { channel, acks } = withInHand(1, 2, 3);
    for (const tag of [2, 1, 3]) acks.ack(taken(tag));
    expect(channel.settlements).toEqual([]);
    await turn();
    expect(channel.settlements).toEqual(['ack 3 and below']);
  });

  it('covers with it only what is below the oldest delivery in hand', async () => {
    const { channel, acks } = withInHand(1, 2, 3, 4, 5);
    for (const tag of [5, 1, 2, 4]) acks.ack(taken(tag));
    await turn();
    expect(channel.settlements.toSorted()).toEqual(['ack 2 and below', 'ack 4', 'ack 5']);
  });

  it('acks a single delivery singly', async () => {
    const { channel, acks } = withInHand(1, 2);
    acks.ack(taken(1));
    await turn();
    acks.ack(taken(2));
    await turn();
    expect(channel.settlements).toEqual(['ack 1', 'ack 2']);
  });

  it('gives a delivery back to the queue at once', () => {
    const { channel, acks } = withInHand(1);
    acks.nack(taken(1));
    expect(channel.settlements).toEqual(['nack 1']);
  });

  it('hands back all that is in hand after the acks that wait, and then settles no more', async () => {
    const { channel, acks } = withInHand(1, 2, 3);
    acks.ack(taken(1));
    acks.handBackAll();
    acks.ack(taken(2));
    acks.nack(taken(3));
    acks.handBackAll();
    await turn();
    expect(channel.settlements).toEqual(['ack 1', 'nack all']);
    expect(acks.isClosed).toBe(true);
  });

  it('hands back nothing when nothing is in hand', () => {
    const { channel, acks } = withInHand(1);
    acks.ack(taken(1));
    acks.handBackAll();
    expect(channel.settlements).toEqual(['ack 1']);
  });

  it('drops settlements on a channel that is gone, those that wait too', async () => {
    const { channel, acks } = withInHand(1, 2, 3);
    acks.ack(taken(1));
    acks.close();
    acks.ack(taken(2));
    acks.nack(taken(3));
    acks.handBackAll();
    await turn();
    expect(channel.settlements).toEqual([]);
    expect(acks.isClosed).toBe(true);
  });

  it('sends no ack while it holds them, and then all of them', async () => {
    const { channel, acks } = withInHand(1, 2, 3);
    acks.hold();
    acks.ack(taken(1));
    await turn();
    acks.ack(taken(2));
    await turn();
    expect(channel.settlements).toEqual([]);
    acks.release();
    expect(channel.settlements).toEqual(['ack 2 and below']);
  });

  it('knows what the broker has again when the channel is gone: what is in hand, and acks that never left', () => {
    const { acks } = withInHand(1, 2, 3);
    acks.ack(taken(2));
    acks.close();
    acks.ack(taken(3));
    expect(acks.unsettled.map(({ message }) => message.fields.deliveryTag).toSorted((a, b) => a - b)).toEqual(
      [1, 2, 3],
    );
  });

  it('knows what has been in hand for long', () => {
    const { acks } = withInHand(10, 20, 30);
    const before = (time: number) => acks.receivedBefore(time).map(({ receivedAt }) => receivedAt);
    expect([before(10), before(21), before(99)]).toEqual([[], [10, 20], [10, 20, 30]]);
    acks.ack(taken(10));
    expect(before(99)).toEqual([20, 30]);
    acks.close();
    expect(before(99)).toEqual([]);
  });

  it('settles every tag exactly once, by tags that are outstanding, never one in hand, in any order', () => {
    const step = fc.constantFrom<Step>('take', 'take', 'ack', 'ack', 'nack', 'flush', 'hold', 'release');
    const steps = fc.array(fc.tuple(step, fc.nat()), { maxLength: 80 });
    fc.assert(
      fc.property(steps, fc.boolean(), (sequence, isHandedBack) => {
        const broker = new StrictChannel();
        const acks = new AckCoalescer<Taken>(broker);
        let count = 0;
        const settleOne = (pick: number, settle: (tag: number) => void) => {
          const tag = [...broker.inHand][pick % Math.max(1, broker.inHand.size)];
          if (tag === undefined) return;
          broker.inHand.delete(tag);
          settle(tag);
        };
        for (const [name, pick] of sequence) {
          if (name === 'take') {
            count++;
            broker.outstanding.add(count);
            broker.inHand.add(count);
            acks.take(taken(count));
          } else if (name === 'flush' || name === 'hold' || name === 'release') acks[name]();
          else settleOne(pick, (tag) => acks[name](taken(tag)));
        }
        if (isHandedBack) acks.handBackAll();
        else {
          while (broker.inHand.size > 0) settleOne(0, (tag) => acks.ack(taken(tag)));
          acks.release();
        }
        expect(broker.settled.toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: count }, (_, i) => i + 1),
        );
        expect(broker.outstanding.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
