import { Duplex } from 'node:stream';
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import {
  AmqplibConnection,
  Connection,
  decode,
  DecodedFrame,
  defs,
  method,
  Model,
} from './amqplib-internals.js';

const PROTOCOL_HEADER_BYTES = 8;
/** RabbitMQ's. */
const DEFAULT_FRAME_MAX = 131_072;

/** What the broker answers by itself to a method. */
const ANSWERS: Record<string, [name: string, fields: object]> = {
  ConnectionStartOk: ['ConnectionTune', { channelMax: 100, heartbeat: 0 }],
  ConnectionOpen: ['ConnectionOpenOk', {}],
  ConnectionClose: ['ConnectionCloseOk', {}],
  ChannelOpen: ['ChannelOpenOk', {}],
  ChannelClose: ['ChannelCloseOk', {}],
  ConfirmSelect: ['ConfirmSelectOk', {}],
  BasicQos: ['BasicQosOk', {}],
  BasicConsume: ['BasicConsumeOk', {}],
  BasicCancel: ['BasicCancelOk', {}],
  BasicGet: ['BasicGetEmpty', {}],
};

/** The turns of the event loop that amqplib's frames take until they are at the socket, and chunks to be read. */
const TURNS = 3;

/** Lets everything happen that is under way. */
export async function quiet(): Promise<void> {
  for (let turns = 0; turns < TURNS; turns++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A socket to a broker that is only there in memory, with a real amqplib connection on it. */
export class MemoryBroker extends Duplex {
  /** What the client wrote since it was connected, one entry for each write to the socket. */
  writes: Buffer[] = [];
  /** Whether it answers what it can by itself. */
  isSilent = false;
  /** Withholds the callback of each write, as a socket does whose peer does not read. */
  isStuck = false;
  readonly connection: AmqplibConnection = new Connection(this);
  readonly model: ChannelModel = new Model(this.connection);
  private unread: Buffer = Buffer.alloc(0);
  private stuck: (() => void)[] = [];

  private constructor(private readonly frameMax: number) {
    super();
  }

  /** @param frameMax the largest frame that it takes, in bytes; 0: any */
  static async open(frameMax = DEFAULT_FRAME_MAX): Promise<MemoryBroker> {
    const broker = new MemoryBroker(frameMax);
    await new Promise<void>((resolve, reject) =>
      broker.connection.open(
        {
          mechanism: 'PLAIN',
          response: Buffer.alloc(0),
          locale: 'en',
          clientProperties: {},
          channelMax: 0,
          frameMax: 0,
          virtualHost: '/',
          capabilities: '',
          insist: false,
        },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
    broker.writes = [];
    return broker;
  }

  /** One more channel, of which the opening is not among {@link writes}. */
  async channel(): Promise<ConfirmChannel> {
    const channel = await this.model.createConfirmChannel();
    this.writes = [];
    return channel;
  }

  /** A consumer, as far as amqplib is concerned: messages with that tag go to it. */
  async consume(
    channel: ConfirmChannel,
    consumerTag: string,
    onMessage: Parameters<ConfirmChannel['consume']>[1],
  ): Promise<void> {
    await channel.consume('q', onMessage, { consumerTag });
    this.writes = [];
  }

  close(): Promise<void> {
    return this.model.close();
  }

  /** Sends bytes to the client, which it reads as one chunk. */
  deliver(...bytes: Buffer[]): void {
    this.push(Buffer.concat(bytes));
  }

  /** What the client wrote, decoded by amqplib. It must be whole frames. */
  get received(): DecodedFrame[] {
    const { decoded, rest } = decode(Buffer.concat(this.writes));
    if (rest.length > 0) throw new Error(`${rest.length} bytes are not all of a frame`);
    return decoded;
  }

  /** Ends the writes that are stuck. */
  release(): void {
    const { stuck } = this;
    this.stuck = [];
    for (const done of stuck) done();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(Buffer.from(chunk));
    this.answer(chunk);
    if (this.isStuck) this.stuck.push(done);
    else done();
  }

  private answer(chunk: Buffer): void {
    this.unread = Buffer.concat([this.unread, chunk]);
    if (this.unread.toString('latin1').startsWith('AMQP')) {
      this.unread = this.unread.subarray(PROTOCOL_HEADER_BYTES);
      this.deliver(
        method('ConnectionStart', 0, {
          serverProperties: {},
          mechanisms: Buffer.from('PLAIN'),
          locales: Buffer.from('en'),
        }),
      );
    }
    const { decoded, rest } = decode(this.unread);
    this.unread = rest;
    for (const { id, channel, fields } of decoded) {
      const [, answer] = Object.entries(ANSWERS).find(([name]) => defs[name] === id) ?? [];
      if (answer && !this.isSilent)
        this.deliver(
          method(answer[0], channel, {
            ...answer[1],
            frameMax: this.frameMax,
            consumerTag: fields?.['consumerTag'],
          }),
        );
    }
  }
}

export function channelNumber(channel: ConfirmChannel): number {
  return (channel as unknown as { ch: number }).ch;
}
