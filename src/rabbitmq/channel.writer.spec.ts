import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Channel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import * as fc from 'fast-check';
import { decode, defs, frames, method } from '../../test/support/amqplib-internals.js';
import { channelNumber, MemoryBroker, quiet } from '../../test/support/memory-broker.js';
import { Answer } from './answer.frames.js';
import { ChannelWriter } from './channel.writer.js';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function answer(messageId: string, body = '{}'): Answer {
  return {
    queue: 'answers',
    body,
    type: 'inference.result',
    messageId,
    traceparent: TRACEPARENT,
    mandatory: true,
  };
}

/** As a worker without a writer of its own would publish it. */
function publishByAmqplib(channel: ConfirmChannel, { queue, body, traceparent, ...options }: Answer): void {
  channel.publish('', queue, Buffer.from(body), {
    ...options,
    persistent: true,
    contentType: 'application/json',
    headers: { traceparent },
  });
}

const acked = (deliveryTag: number) => ({ fields: { deliveryTag } }) as ConsumeMessage;

/** One thing that a worker does with a channel. */
type Act = (channel: ConfirmChannel, publish: (answer: Answer) => void) => unknown;

const anyBody = fc.oneof(
  fc.json(),
  fc.nat(3000).map((length) => 'é'.repeat(length)),
  fc.nat(300_000).map((length) => 'x'.repeat(length)),
);

const anyAct: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.uuid(), anyBody).map(
      ([id, body]): Act =>
        (_, publish) =>
          publish(answer(id, body)),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(), fc.boolean()).map(
      ([tag, isAll]): Act =>
        (channel) =>
          channel.ack(acked(tag), isAll),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat().map(
      (tag): Act =>
        (channel) =>
          channel.nack(acked(tag), false, true),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(400_000).map(
      (size): Act =>
        (channel) =>
          channel.publish('', 'q', Buffer.alloc(size, 7), {}),
    ),
  },
);

describe('ChannelWriter', () => {
  let broker: MemoryBroker;
  let channel: ConfirmChannel;
  let writer: ChannelWriter;

  beforeEach(async () => {
    await start();
  });

  async function start(frameMax?: number): Promise<void> {
    broker = await MemoryBroker.open(frameMax);
    channel = await broker.channel();
    writer = new ChannelWriter(channel);
  }

  /** The ids of the answers that came out, in order. */
  const idsSent = () =>
    broker.received.filter(({ size }) => size !== undefined).map(({ fields }) => fields?.['messageId']);
  const methodsSent = () =>
    broker.received.flatMap(({ id, size }) => (size === undefined && id ? [nameOf(id)] : []));

  it('sends what is written in one turn of the event loop as one write, in its order', async () => {
    for (let tag = 1; tag <= 20; tag++) {
      writer.publish(answer(`a${tag}`));
      channel.ack(acked(tag));
      publishByAmqplib(channel, answer(`b${tag}`));
    }
    expect(broker.writes).toEqual([]);
    await quiet();
    expect(broker.writes).toHaveLength(1);
    expect(idsSent()).toEqual(
      Array.from({ length: 20 }, (_, index) => [`a${index + 1}`, `b${index + 1}`]).flat(),
    );
    expect(methodsSent()).toEqual(
      Array.from({ length: 20 }, () => ['BasicPublish', 'BasicAck', 'BasicPublish']).flat(),
    );
  });

  it('sends what is written in the next turn without waiting for anything else', async () => {
    for (const id of ['1', '2', '3']) {
      writer.publish(answer(id));
      await quiet();
    }
    expect(broker.writes).toHaveLength(3);
    expect(idsSent()).toEqual(['1', '2', '3']);
  });

  it('sends byte for byte what amqplib would, in no more writes, whatever is done with the channel', async () => {
    const turns = fc.array(fc.array(anyAct, { maxLength: 12 }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(turns, async (acts) => {
        const plain = await MemoryBroker.open();
        const plainChannel = await plain.channel();
        await start();
        for (const turn of acts) {
          for (const act of turn) {
            act(plainChannel, (sent) => publishByAmqplib(plainChannel, sent));
            act(channel, (sent) =>
              writer.takes(sent) ? writer.publish(sent) : publishByAmqplib(channel, sent),
            );
          }
          await quiet();
        }
        expect(Buffer.concat(broker.writes).equals(Buffer.concat(plain.writes))).toBe(true);
        expect(broker.writes.length).toBeLessThanOrEqual(plain.writes.length);
      }),
      { numRuns: 60 },
    );
  });

  it('sends frames larger than its chunks as they are, after what was written before', async () => {
    await start(0);
    const content = Buffer.alloc(1_000_000, 5);
    writer.publish(answer('before'));
    channel.publish('', 'q', content, { messageId: 'large' });
    writer.publish(answer('after'));
    await quiet();
    expect(idsSent()).toEqual(['before', 'large', 'after']);
    expect(broker.received.some((frame) => frame.content?.equals(content))).toBe(true);
  });

  it('takes no answer whose frames the broker would refuse', () =>
    fc.assert(
      fc.asyncProperty(fc.constantFrom(4096, 8192, 131_072, 0), anyBody, async (frameMax, body) => {
        await start(frameMax);
        if (!writer.takes(answer('1', body))) return;
        writer.publish(answer('1', body));
        await quiet();
        expect(largestFrame(Buffer.concat(broker.writes))).toBeLessThanOrEqual(frameMax || Infinity);
      }),
    ));

  it('takes the answers of usual size', () => {
    expect(writer.takes(answer('1', 'x'.repeat(20_000)))).toBe(true);
    expect(writer.takes({ ...answer('€'.repeat(85)), correlationId: '€'.repeat(85) })).toBe(true);
  });

  it.each(['queue', 'messageId', 'correlationId'] as const)(
    'leaves to amqplib, which refuses it, an answer whose %s is longer than AMQP allows',
    (name) => {
      // As of 86 bytes that are no UTF-8: each is read as three.
      for (const long of ['x'.repeat(256), '\ufffd'.repeat(86)]) {
        const sent = { ...answer('1'), [name]: long };
        expect(writer.takes(sent)).toBe(false);
        expect(() => publishByAmqplib(channel, sent)).toThrow(TypeError);
      }
    },
  );

  it('does not touch what it has written until the socket is done with it', async () => {
    broker.isStuck = true;
    const ids = Array.from({ length: 12 }, (_, index) => String(index));
    for (const id of ids) {
      writer.publish(answer(id, id.repeat(100)));
      await quiet();
    }
    while (idsSent().length < ids.length) {
      broker.release();
      await quiet();
    }
    expect(idsSent()).toEqual(ids);
    expect(broker.received.flatMap(({ content }) => (content ? [String(content)] : []))).toEqual(
      ids.map((id) => id.repeat(100)),
    );
  });

  it('goes on after the socket was stuck', async () => {
    broker.isStuck = true;
    for (const id of ['1', '2', '3']) {
      writer.publish(answer(id));
      await quiet();
    }
    broker.isStuck = false;
    broker.release();
    await quiet();
    for (const id of ['4', '5']) writer.publish(answer(id));
    await quiet();
    expect(idsSent()).toEqual(['1', '2', '3', '4', '5']);
  });

  it('leaves heartbeats between its writes, and counts as a sign of life itself', async () => {
    broker.connection.checkSend();
    expect(broker.connection.checkSend()).toBe(false);
    writer.publish(answer('1'));
    broker.connection.sendHeartbeat();
    await quiet();
    expect(broker.received[0]).toBe(frames.HEARTBEAT);
    expect(idsSent()).toEqual(['1']);
    broker.connection.checkSend();
    writer.publish(answer('2'));
    await quiet();
    expect(broker.connection.checkSend()).toBe(true);
  });

  it('leaves other channels of the connection alone', async () => {
    const other = await broker.channel();
    writer.publish(answer('1'));
    publishByAmqplib(other, answer('2'));
    await quiet();
    const channels = broker.received.map((frame) => frame.channel);
    expect(new Set(channels)).toEqual(new Set([channelNumber(channel), channelNumber(other)]));
    expect(new Set(idsSent())).toEqual(new Set(['1', '2']));
  });

  it('hands confirms to amqplib, which knows the publishes by their order', async () => {
    const confirmed: string[] = [];
    for (const id of ['1', '2', '3']) {
      writer.publish(answer(id), () => confirmed.push(id));
    }
    await quiet();
    broker.deliver(method('BasicAck', channelNumber(channel), { deliveryTag: 2, multiple: true }));
    await quiet();
    expect(confirmed).toEqual(['1', '2']);
  });

  describe('at the end', () => {
    it('sends what was written before the channel was closed, then that', async () => {
      writer.publish(answer('1'));
      channel.ack(acked(7));
      await channel.close();
      expect(idsSent()).toEqual(['1']);
      expect(methodsSent()).toEqual(['BasicPublish', 'BasicAck', 'ChannelClose']);
    });

    it('sends what was written, and the answer, when the broker closes the channel', async () => {
      channel.on('error', () => {});
      broker.deliver(
        method('ChannelClose', channelNumber(channel), {
          replyCode: 406,
          replyText: 'no',
          classId: 0,
          methodId: 0,
        }),
      );
      writer.publish(answer('1'));
      await quiet();
      expect(methodsSent()).toEqual(['BasicPublish', 'ChannelCloseOk']);
    });

    it('leaves the number of a closed channel to the next', async () => {
      await channel.close();
      const next = await broker.channel();
      expect(channelNumber(next)).toBe(channelNumber(channel));
      publishByAmqplib(next, answer('1'));
      await quiet();
      const nextWriter = new ChannelWriter(next);
      nextWriter.publish(answer('2'));
      await quiet();
      expect(idsSent()).toEqual(['1', '2']);
    });

    it('sends what was written when the connection is closed', async () => {
      writer.publish(answer('1'));
      await broker.close();
      await quiet();
      expect(idsSent()).toEqual(['1']);
    });

    it('drops what is written to a socket that is gone, and lets amqplib say so', async () => {
      const told: unknown[] = [];
      broker.model.on('error', (error) => told.push(error));
      channel.on('close', () => told.push('closed'));
      const reason = new Error('gone');
      writer.publish(answer('1'));
      broker.destroy(reason);
      writer.publish(answer('2'));
      channel.ack(acked(1));
      await quiet();
      writer.publish(answer('3'));
      await quiet();
      expect(broker.writes).toEqual([]);
      expect(told).toEqual([reason, 'closed']);
    });
  });

  it('refuses an amqplib whose channels have no buffer', () => {
    const unknown = { ch: 1, connection: { channels: [] } } as unknown as Channel;
    expect(() => new ChannelWriter(unknown)).toThrow('amqplib has no channel buffer where onnxmq expects it');
  });
});

function nameOf(id: number): string | undefined {
  return Object.keys(defs).find((name) => defs[name] === id);
}

/** In bytes, with all that belongs to it. */
function largestFrame(bytes: Buffer): number {
  const sizes: number[] = [];
  for (let at = 0; at < bytes.length; at += sizes.at(-1) as number)
    sizes.push(bytes.readUInt32BE(at + 3) + 8);
  expect(decode(bytes).rest).toHaveLength(0);
  return Math.max(...sizes);
}
