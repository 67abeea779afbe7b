import { describe, expect, it } from '@jest/globals';
import type { ConsumeMessage } from 'amqplib';
import { consumeMessage, SettlingChannel } from '../../test/support/messages.js';
import { AckCoalescer, Link } from './ack.coalescer.js';

class Taken implements Link<Taken> {
  readonly message: ConsumeMessage;
  older: Taken | undefined;
  newer: Taken | undefined;

  constructor(
    deliveryTag: number,
    readonly receivedAt = deliveryTag,
  ) {
    this.message = consumeMessage({}, {}, deliveryTag);
  }
}

/** Takes deliveries of these tags; `taken` gives each of them again. */
function withInHand(...tags: number[]) {
  const channel = new SettlingChannel();
  const acks = new AckCoalescer<Taken>(channel);
  const byTag = new Map(tags.map((tag) => [tag, new Taken(tag)]));
  for (const delivery of byTag.values()) acks.take(delivery);
  return { channel, acks, taken: (tag: number) => byTag.get(tag) as Taken };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('AckCoalescer', () => {
  it('sends the acks of one turn of the event loop as one', async () => {
    const { channel, acks, taken } = withInHand(1, 2, 3);
    for (const tag of [2, 1, 3]) acks.ack(taken(tag));
    expect(channel.settlements).toEqual([]);
    await turn();
    expect(channel.settlements).toEqual(['ack 3 and below']);
  });

  it('covers with it only what is below the oldest delivery in hand', async () => {
    const { channel, acks, taken } = withInHand(1, 2, 3, 4, 5);
    for (const tag of [5, 1, 2, 4]) acks.ack(taken(tag));
    await turn();
    expect(channel.settlements.toSorted()).toEqual(['ack 2 and below', 'ack 4', 'ack 5']);
  });

  it('acks a single delivery singly', async () => {
    const { channel, acks, taken } = withInHand(1, 2);
    acks.ack(taken(1));
    await turn();
    acks.ack(taken(2));
    await turn();
    expect(channel.settlements).toEqual(['ack 1', 'ack 2']);
  });

  it('gives a delivery back to the queue at once', () => {
    const { channel, acks, taken } = withInHand(1);
    acks.nack(taken(1));
    expect(channel.settlements).toEqual(['nack 1']);
  });

  it('hands back all that is in hand after the acks that wait, and then settles no more', async () => {
    const { channel, acks, taken } = withInHand(1, 2, 3);
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
    const { channel, acks, taken } = withInHand(1);
    acks.ack(taken(1));
    acks.handBackAll();
    expect(channel.settlements).toEqual(['ack 1']);
  });

  it('drops settlements on a channel that is gone, those that wait too', async () => {
    const { channel, acks, taken } = withInHand(1, 2, 3);
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
    const { channel, acks, taken } = withInHand(1, 2, 3);
    acks.hold();
    acks.ack(taken(1));
    await turn();
    acks.ack(taken(2));
    await turn();
    expect(channel.settlements).toEqual([]);
    acks.release();
    expect(channel.settlements).toEqual(['ack 2 and below']);
  });

  it('acks nothing that is in hand where a message is taken after others that came in behind it', () => {
    const { channel, acks, taken } = withInHand(1, 2, 3, 5, 6, 4);
    for (const tag of [1, 2, 3, 5]) acks.ack(taken(tag));
    acks.flush();
    expect(channel.settlements).toEqual(['ack 3 and below', 'ack 5']);
    acks.ack(taken(4));
    acks.ack(taken(6));
    acks.flush();
    expect(channel.settlements.slice(2)).toEqual(['ack 6 and below']);
  });

  it('knows what the broker has again when the channel is gone: what is in hand, and acks that never left', () => {
    const { acks, taken } = withInHand(1, 2, 3);
    acks.ack(taken(2));
    acks.close();
    acks.ack(taken(3));
    expect(acks.unsettled.map(({ message }) => message.fields.deliveryTag).toSorted((a, b) => a - b)).toEqual(
      [1, 2, 3],
    );
  });

  it('knows what has been in hand for long', () => {
    const { acks, taken } = withInHand(10, 20, 30);
    const before = (time: number) => acks.receivedBefore(time).map(({ receivedAt }) => receivedAt);
    expect([before(10), before(21), before(99)]).toEqual([[], [10, 20], [10, 20, 30]]);
    acks.ack(taken(10));
    expect(before(99)).toEqual([20, 30]);
    acks.close();
    expect(before(99)).toEqual([]);
  });
});
