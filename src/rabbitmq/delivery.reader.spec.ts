import { describe, expect, it } from '@jest/globals';
import type { ConfirmChannel, ConsumeMessage, Message } from 'amqplib';
import * as fc from 'fast-check';
import { contentFrames, frames, method } from '../../test/support/amqplib-internals.js';
import { channelNumber, MemoryBroker, quiet } from '../../test/support/memory-broker.js';
import { DeliveryReader } from './delivery.reader.js';

/** The two channels of each connection; the first has the reader. */
const READ = 1;
const OTHER = 2;
const TAGS = ['', 'onnxmq host:1', 'tag.€'] as const;

const shortText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.nat(255).map((length) => 'x'.repeat(length)),
  fc.constantFrom('', 'inference', 'application/json'),
);
const short = shortText.filter((text) => Buffer.byteLength(text) <= 255);
const octet = fc.nat(255);
const typed = <T>(type: string, value: fc.Arbitrary<T>) =>
  value.map((given) => ({ '!': type, value: given }));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

/** A value of every type that a header may have. */
const { value: headerValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc.boolean(),
    typed('double', fc.double()),
    typed('float', fc.float()),
    typed('byte', fc.integer({ min: -128, max: 127 })),
    typed('unsignedbyte', octet),
    typed('short', fc.integer({ min: -0x8000, max: 0x7fff })),
    typed('unsignedshort', fc.nat(0xffff)),
    typed('int', fc.integer()),
    typed('unsignedint', fc.nat(0xffffffff)),
    typed('long', int64),
    typed('timestamp', uint64),
    typed('decimal', fc.record({ places: octet, digits: fc.nat(0xffffffff) })),
    fc.constant(null),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(short, tie('value'), { maxKeys: 3 }),
  ),
}));

/** Those that the reader takes without amqplib. */
const plainHeaderValue = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.boolean(),
  typed('double', fc.double()),
  typed('byte', fc.integer({ min: -128, max: 127 })),
  typed('int', fc.integer()),
  typed('long', int64),
);

const propertiesWith = (headers: fc.Arbitrary<unknown>) =>
  fc.record(
    {
      contentType: short,
      contentEncoding: short,
      headers: fc.dictionary(short, headers, { maxKeys: 4 }),
      deliveryMode: octet,
      priority: octet,
      correlationId: short,
      replyTo: short,
      expiration: short,
      messageId: short,
      timestamp: fc.double({ min: 0, max: 2 ** 63, noNaN: true }).map(Math.floor),
      type: short,
      userId: short,
      appId: short,
      clusterId: short,
    },
    { requiredKeys: [] },
  );

interface Sent {
  readonly consumerTag: string;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: object;
  readonly content: Buffer;
  /** The broker's `frame_max`, less what is not body. */
  readonly maxBytes: number;
}

const body = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.nat(9000).map((length) => Buffer.alloc(length, 'body ')),
  fc.constant(Buffer.alloc(0)),
);

const sentWith = (properties: fc.Arbitrary<object>, maxBytes: fc.Arbitrary<number>): fc.Arbitrary<Sent> =>
  fc.record({
    consumerTag: fc.constantFrom(...TAGS),
    deliveryTag: fc.oneof(
      fc.nat(),
      fc.nat(2 ** 31).map((high) => high * 2 ** 32 + 7),
    ),
    redelivered: fc.boolean(),
    exchange: short,
    routingKey: short,
    properties,
    content: body,
    maxBytes,
  });

/** Deliveries as RabbitMQ may send them: many bodies are of one frame, some are of several. */
const anySent = sentWith(propertiesWith(headerValue), fc.constantFrom(Infinity, Infinity, 4088, 7));
const usualSent = sentWith(propertiesWith(plainHeaderValue), fc.constant(Infinity));

function delivery(channel: number, { properties, content, maxBytes, ...fields }: Sent): Buffer[] {
  return [method('BasicDeliver', channel, fields), ...contentFrames(channel, properties, content, maxBytes)];
}

function returned(channel: number, { properties, content, maxBytes, exchange, routingKey }: Sent): Buffer[] {
  const fields = { replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey };
  return [method('BasicReturn', channel, fields), ...contentFrames(channel, properties, content, maxBytes)];
}

/** amqplib keeps a slot for each tag up to the highest. */
const confirmTag = fc.integer({ min: 1, max: 20 });

/** What the broker sends on one channel, frame by frame. */
const traffic = (channel: number): fc.Arbitrary<Buffer[]> =>
  fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: anySent.map((sent) => delivery(channel, sent)) },
        { weight: 3, arbitrary: usualSent.map((sent) => delivery(channel, sent)) },
        { weight: 1, arbitrary: anySent.map((sent) => returned(channel, sent)) },
        {
          weight: 2,
          arbitrary: fc
            .record({ deliveryTag: confirmTag, multiple: fc.boolean() })
            .map((fields) => [method('BasicAck', channel, fields)]),
        },
        {
          weight: 1,
          arbitrary: confirmTag.map((tag) => [method('BasicNack', channel, { deliveryTag: tag })]),
        },
        { weight: 1, arbitrary: fc.constant([method('BasicCancel', channel, { consumerTag: 'x' })]) },
      ),
      { maxLength: 8 },
    )
    .map((messages) => messages.flat());

/** The frames of several sources, each in its own order, as a broker may interleave them. */
function interleaved(sources: readonly (readonly Buffer[])[], picks: readonly number[]): Buffer[] {
  const left = sources.map((source) => [...source]);
  const merged: Buffer[] = [];
  for (let turn = 0; left.some((source) => source.length > 0); turn++) {
    const open = left.filter((source) => source.length > 0);
    const pick = picks.length > 0 ? (picks[turn % picks.length] as number) : 0;
    merged.push(open[pick % open.length]?.shift() as Buffer);
  }
  return merged;
}

/** Cuts bytes at some places, given as shares of their length. */
function cutAt(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const places = shares.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b);
  return [...places, bytes.length].map((place, index) => bytes.subarray(places[index - 1] ?? 0, place));
}

/** A connection with two channels and all that its user sees. */
class Client {
  /** What was seen, in its order. */
  readonly seen: unknown[] = [];
  /** How many frames amqplib had to decode. */
  framesLeft = 0;
  /** Called with each message, once it was seen. */
  onMessage: (message: ConsumeMessage) => void = () => {};

  private constructor(
    readonly broker: MemoryBroker,
    readonly channel: ConfirmChannel,
  ) {}

  static async open({ hasReader }: { hasReader: boolean }): Promise<Client> {
    const broker = await MemoryBroker.open();
    const channels = [await broker.channel(), await broker.channel()] as const;
    const client = new Client(broker, channels[0]);
    expect(channels.map(channelNumber)).toEqual([READ, OTHER]);
    for (const [index, channel] of channels.entries()) {
      for (const tag of [...TAGS, 'x'])
        await broker.consume(channel, tag, (message) => client.see('message', index, tag, message));
      channel.on('return', (message: Message) => client.see('return', index, message));
      channel.on('ack', (fields) => client.see('ack', index, fields));
      channel.on('nack', (fields) => client.see('nack', index, fields));
      channel.on('error', (error: Error) => client.see('channel error', index, error.message));
      channel.on('close', () => client.see('channel closed', index));
    }
    broker.model.on('error', (error: Error) => client.see('connection error', error.message));
    const accept = broker.connection.accept.bind(broker.connection);
    broker.connection.accept = (frame) => {
      client.framesLeft++;
      return accept(frame);
    };
    if (hasReader) void new DeliveryReader(channels[0]);
    return client;
  }

  /** Gives it chunks, one after the other. */
  async read(...chunks: readonly Buffer[]): Promise<unknown[]> {
    for (const chunk of chunks) {
      this.broker.deliver(Buffer.from(chunk));
      await quiet();
    }
    return this.seen;
  }

  private see(...what: unknown[]): void {
    this.seen.push(what);
    const message = what.at(-1) as ConsumeMessage | null;
    if (what[0] === 'message' && message) this.onMessage(message);
  }
}

/** What the user of a connection with the reader sees, and that of one without. */
async function bothSee(...chunks: readonly Buffer[]): Promise<{ withReader: unknown[]; amqplib: unknown[] }> {
  const [withReader, amqplib] = [
    await Client.open({ hasReader: true }),
    await Client.open({ hasReader: false }),
  ];
  return { withReader: await withReader.read(...chunks), amqplib: await amqplib.read(...chunks) };
}

const usual: Sent = {
  consumerTag: 'onnxmq host:1',
  deliveryTag: 1,
  redelivered: false,
  exchange: '',
  routingKey: 'inference',
  properties: {
    contentType: 'application/json',
    headers: { traceparent: '00-1' },
    correlationId: 'c',
    replyTo: 'r',
  },
  content: Buffer.from('{"data":[1]}'),
  maxBytes: Infinity,
};
const bytesOf = (...sent: readonly Sent[]) => Buffer.concat(sent.flatMap((one) => delivery(READ, one)));

describe('DeliveryReader', () => {
  it('gives exactly what amqplib alone would, in the same order, however the bytes come and whatever is between', async () => {
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
    const heartbeats = fc.nat(3).map((count) => Array<Buffer>(count).fill(frames.HEARTBEAT_BUF));
    const picks = fc.oneof(fc.constant([]), fc.array(fc.nat(2), { minLength: 1, maxLength: 30 }));
    await fc.assert(
      fc.asyncProperty(
        traffic(READ),
        traffic(OTHER),
        heartbeats,
        picks,
        cuts,
        async (read, other, beats, order, cut) => {
          const bytes = Buffer.concat(interleaved([read, other, beats], order));
          const { withReader, amqplib } = await bothSee(...cutAt(bytes, cut));
          expect(withReader).toEqual(amqplib);
        },
      ),
      { numRuns: 250 },
    );
  });

  it('gives them also when every byte comes alone', async () => {
    const few = fc.array(fc.oneof(usualSent, anySent), { minLength: 1, maxLength: 3 });
    const small = few.filter((sent) => bytesOf(...sent).length < 1500);
    await fc.assert(
      fc.asyncProperty(small, async (sent) => {
        const { withReader, amqplib } = await bothSee(
          ...cutAt(bytesOf(...sent), everywhere(bytesOf(...sent).length)),
        );
        expect(withReader).toHaveLength(sent.length);
        expect(withReader).toEqual(amqplib);
      }),
      { numRuns: 10 },
    );
  });

  it('reads the usual deliveries of a chunk without leaving amqplib a frame', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(usualSent, { minLength: 1, maxLength: 20 }), async (sent) => {
        const client = await Client.open({ hasReader: true });
        await client.read(bytesOf(...sent));
        expect(client.seen).toHaveLength(sent.length);
        expect(client.framesLeft).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it('reads the others of a chunk again after one that it leaves to amqplib', async () => {
    const client = await Client.open({ hasReader: true });
    const unusual = { ...usual, properties: { headers: { list: [1, 2] } } };
    await client.read(bytesOf(usual, unusual, usual, usual));
    expect(client.seen).toHaveLength(4);
    expect(client.framesLeft).toBe(3);
  });

  it('reads text that is no UTF-8 as amqplib does', async () => {
    const marked = {
      ...usual,
      properties: { correlationId: 'MARK', headers: { MARK: 'MARK' }, replyTo: 'MARK' },
    };
    const bytes = Buffer.from(
      bytesOf(marked).toString('latin1').replaceAll('MARK', '\xff\xc3\x80\xfe'),
      'latin1',
    );
    const { withReader, amqplib } = await bothSee(bytes);
    expect(withReader).toEqual(amqplib);
    expect(JSON.stringify(withReader)).toContain('\ufffd');
  });

  it('gives each message headers of its own to change, or none that can be', async () => {
    const client = await Client.open({ hasReader: true });
    await client.read(bytesOf(usual, usual, { ...usual, properties: { headers: {} } }));
    const [first, second, empty] = client.seen.map(
      (entry) => ((entry as unknown[]).at(-1) as Message).properties.headers,
    );
    expect(first).not.toBe(second);
    expect(Object.isFrozen(empty)).toBe(true);
  });

  it('remembers texts without mixing them up', async () => {
    const texts = fc.array(fc.constantFrom('', 'a', 'b', 'aa', 'ab', '€', 'é'), {
      minLength: 1,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(texts, async (each) => {
        const sent = each.map((text, index) => ({
          ...usual,
          exchange: text,
          routingKey: each.at(-index) as string,
          properties: { contentType: text, replyTo: each.at(-index), type: text },
        }));
        const { withReader, amqplib } = await bothSee(bytesOf(...sent));
        expect(withReader).toEqual(amqplib);
      }),
    );
  });

  describe.each([
    ['the channel', (client: Client) => client.channel.close()],
    ['the connection', (client: Client) => client.broker.close()],
  ])('when %s is closed', (_, close) => {
    it.each(['before the broker has heard of it', 'after that'])('gives nothing more %s', async (when) => {
      for (const hasReader of [false, true]) {
        const client = await Client.open({ hasReader });
        client.broker.isSilent = when !== 'after that';
        void close(client).catch(() => {});
        if (when === 'after that') await quiet();
        await client.read(bytesOf(usual, usual));
        expect(client.seen.filter((entry) => (entry as unknown[])[0] === 'message')).toEqual([]);
      }
    });

    it('gives nothing more of a chunk in the midst of which its user closes it', async () => {
      for (const hasReader of [false, true]) {
        const client = await Client.open({ hasReader });
        client.onMessage = () => void close(client).catch(() => {});
        await client.read(bytesOf(usual, usual, usual));
        expect(client.seen.filter((entry) => (entry as unknown[])[0] === 'message')).toHaveLength(1);
      }
    });
  });

  it('gives nothing to a channel that was closed, when its number is used again', async () => {
    const client = await Client.open({ hasReader: true });
    await client.channel.close();
    const next = await client.broker.channel();
    expect(channelNumber(next)).toBe(READ);
    const received: unknown[] = [];
    await client.broker.consume(next, usual.consumerTag, (message) => received.push(message?.content));
    await client.read(bytesOf(usual));
    expect(received).toEqual([usual.content]);
    expect(client.seen).toEqual([['channel closed', 0]]);
  });

  it('takes the connection down when its user throws, and gives no message twice', async () => {
    const client = await Client.open({ hasReader: true });
    client.onMessage = ({ fields }) => {
      if (fields.deliveryTag === 2) throw new Error('a bug');
    };
    await client.read(
      bytesOf(...[1, 2, 3].map((deliveryTag) => ({ ...usual, deliveryTag }))),
      bytesOf(usual),
    );
    const tags = client.seen.map(
      (entry) => ((entry as unknown[]).at(-1) as Message | undefined)?.fields?.deliveryTag,
    );
    expect(tags.filter((tag) => tag !== undefined)).toEqual([1, 2]);
    expect(client.seen).toContainEqual(['connection error', 'a bug']);
    expect(client.seen).toContainEqual(['channel closed', 0]);
  });

  it('leaves to amqplib what is no frame', async () => {
    const broken = bytesOf(usual);
    broken[broken.length - 1] = 0;
    const { withReader, amqplib } = await bothSee(Buffer.concat([bytesOf(usual), broken]));
    expect(withReader).toEqual(amqplib);
    expect(withReader).toContainEqual(['connection error', 'Invalid frame']);
  });
});

/** Shares that cut after every byte. */
function everywhere(length: number): number[] {
  return Array.from({ length }, (_, index) => (index + 0.5) / length);
}
