import { describe, expect, it } from '@jest/globals';
import { SettlingChannel } from '../../test/support/messages.js';
import { AckCoalescer } from './ack.coalescer.js';

function withInHand(...tags: number[]) {
  const channel = new SettlingChannel();
  const acks = new AckCoalescer(channel);
  for (const tag of tags) acks.take(tag);
  return { channel, acks };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('AckCoalescer', () => {
  it('sends the acks of one turn of the event loop as one', async () => {
    const { channel, acks } = withInHand(1, 2, 3);
    for (const tag of [2, 1, 3]) acks.ack(tag);
    expect(channel.settlements).toEqual([]);
    await turn();
    expect(channel.settlements).toEqual(['ack 3 and below']);
  });

  it('covers with it only what is below the oldest delivery in hand', async () => {
    const { channel, acks } = withInHand(1, 2, 3, 4, 5);
    for (const tag of [5, 1, 2, 4]) acks.ack(tag);
    await turn();
    expect(channel.settlements.toSorted()).toEqual(['ack 2 and below', 'ack 4', 'ack 5']);
  });

  it('acks a single delivery singly', async () => {
    const { channel, acks } = withInHand(1, 2);
    acks.ack(1);
    await turn();
    acks.ack(2);
    await turn();
    expect(channel.settlements).toEqual(['ack 1', 'ack 2']);
  });

  it('gives a delivery back to the queue at once', () => {
    const { channel, acks } = withInHand(1);
    acks.nack(1);
    expect(channel.settlements).toEqual(['nack 1']);
  });

  it('hands back all that is in hand after the acks that wait, and then settles no more', async () => {
    const { channel, acks } = withInHand(1, 2, 3);
    acks.ack(1);
    acks.handBackAll();
    acks.ack(2);
    acks.nack(3);
    acks.handBackAll();
    await turn();
    expect(channel.settlements).toEqual(['ack 1', 'nack all']);
    expect(acks.isClosed).toBe(true);
  });

  it('hands back nothing when nothing is in hand', () => {
    const { channel, acks } = withInHand(1);
    acks.ack(1);
    acks.handBackAll();
    expect(channel.settlements).toEqual(['ack 1']);
  });

  it('drops settlements on a channel that is gone, those that wait too', async () => {
    const { channel, acks } = withInHand(1, 2, 3);
    acks.ack(1);
    acks.close();
    acks.ack(2);
    acks.nack(3);
    acks.handBackAll();
    await turn();
    expect(channel.settlements).toEqual([]);
    expect(acks.isClosed).toBe(true);
  });
});
