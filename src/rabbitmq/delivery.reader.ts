import type { Channel, ConsumeMessage, MessageProperties, MessagePropertyHeaders } from 'amqplib';
import { RememberedText } from './remembered-text.js';

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const BASIC_DELIVER = (60 << 16) | 60;
/** Type, channel and size of a frame; its end is one byte more. */
const FRAME_START = 7;
const FRAME_OVERHEAD = 8;
const EMPTY: MessagePropertyHeaders = Object.freeze({});

/** What of amqplib's internals (2.3.1) is relied on; `delivery.reader.spec.ts` holds them against the real thing. */
interface AmqplibChannel {
  readonly ch: number;
  readonly connection: { rest: Buffer; recvFrame(): unknown; readonly accept: unknown };
  readonly accept: unknown;
  dispatchMessage(fields: ConsumeMessage['fields'], message: ConsumeMessage): void;
}

/**
 * Reads the usual delivery, of one body frame and plain headers, ahead of amqplib and in one go. amqplib makes three
 * frames of it, each with buffers, field objects and strings of its own, which is half of what taking a message costs.
 * Everything else is left to amqplib.
 */
export class DeliveryReader {
  private readonly channel: AmqplibChannel;
  private readonly consumerTag = new RememberedText();
  private readonly exchange = new RememberedText();
  private readonly routingKey = new RememberedText();
  private readonly contentType = new RememberedText();
  private readonly replyTo = new RememberedText();
  private readonly type = new RememberedText();
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private readonly usualAccept: readonly [channel: unknown, connection: unknown];

  constructor(channel: Channel) {
    this.channel = channel as unknown as AmqplibChannel;
    const { connection } = this.channel;
    const readFrame = connection.recvFrame.bind(connection);
    // Both change once channel or connection are about to close, from when on amqplib gives nothing more.
    this.usualAccept = [this.channel.accept, connection.accept];
    // amqplib calls it for each frame, first with what is left of the last chunk, then with a new one before it.
    connection.recvFrame = () => {
      if (connection.rest.length > 0) connection.rest = this.readFrom(connection.rest);
      return readFrame();
    };
  }

  private get isOpen(): boolean {
    const { accept, connection } = this.channel;
    return accept === this.usualAccept[0] && connection.accept === this.usualAccept[1];
  }

  /** Hands on the deliveries at the start of `bytes`. @returns what follows them */
  private readFrom(bytes: Buffer): Buffer {
    this.bytes = bytes;
    let start = 0;
    for (;;) {
      const end = this.isOpen ? this.readDelivery(start) : -1;
      if (end < 0) return start === 0 ? bytes : bytes.subarray(start);
      start = end;
    }
  }

  /** @returns where it ends; -1 where there is none, not all of one, or one that is not usual */
  private readDelivery(start: number): number {
    const { bytes, channel } = this;
    const header = this.frameEnd(start, METHOD);
    if (header < 0 || bytes.readUInt32BE(start + FRAME_START) !== BASIC_DELIVER) return -1;
    const body = this.frameEnd(header, HEADER);
    if (body < 0) return -1;
    const size = bytes.readUInt32BE(header + FRAME_START + 8);
    // The lower half of the size says enough: a body of one frame is shorter than 4 GiB, and so would differ.
    const end = size === 0 ? body : this.frameEnd(body, BODY);
    if (end < 0 || (size > 0 && end - body !== size + FRAME_OVERHEAD)) return -1;
    this.at = header + FRAME_START + 12;
    const properties = this.readProperties();
    if (!properties) return -1;
    this.at = start + FRAME_START + 4;
    const fields = this.readFields();
    const content = bytes.subarray(body + FRAME_START, body + FRAME_START + size);
    channel.dispatchMessage(fields, { fields, properties, content });
    return end;
  }

  /** Where the frame ends that starts here; -1 when it is not of that type and this channel, or not here in full. */
  private frameEnd(start: number, type: number): number {
    const { bytes } = this;
    if (start + FRAME_OVERHEAD > bytes.length || bytes[start] !== type) return -1;
    if (bytes.readUInt16BE(start + 1) !== this.channel.ch) return -1;
    const end = start + FRAME_OVERHEAD + bytes.readUInt32BE(start + 3);
    return end <= bytes.length && bytes[end - 1] === 0xce ? end : -1;
  }

  private readFields(): ConsumeMessage['fields'] {
    const consumerTag = this.remembered(this.consumerTag);
    const deliveryTag = this.readLongLong();
    const redelivered = this.bytes[this.at++] !== 0;
    const exchange = this.remembered(this.exchange);
    return { consumerTag, deliveryTag, redelivered, exchange, routingKey: this.remembered(this.routingKey) };
  }

  /** In their order on the wire; undefined when a header is of a type that is left to amqplib. */
  private readProperties(): MessageProperties | undefined {
    const present = this.bytes.readUInt16BE(this.at);
    this.at += 2;
    const contentType = present & 0x8000 ? this.remembered(this.contentType) : undefined;
    const contentEncoding = present & 0x4000 ? this.readText() : undefined;
    const headers = present & 0x2000 ? this.readTable() : undefined;
    if (present & 0x2000 && !headers) return undefined;
    return {
      contentType,
      contentEncoding,
      headers,
      deliveryMode: present & 0x1000 ? this.bytes[this.at++] : undefined,
      priority: present & 0x0800 ? this.bytes[this.at++] : undefined,
      correlationId: present & 0x0400 ? this.readText() : undefined,
      replyTo: present & 0x0200 ? this.remembered(this.replyTo) : undefined,
      expiration: present & 0x0100 ? this.readText() : undefined,
      messageId: present & 0x0080 ? this.readText() : undefined,
      timestamp: present & 0x0040 ? this.readLongLong() : undefined,
      type: present & 0x0020 ? this.remembered(this.type) : undefined,
      userId: present & 0x0010 ? this.readText() : undefined,
      appId: present & 0x0008 ? this.readText() : undefined,
      clusterId: present & 0x0004 ? this.readText() : undefined,
    };
  }

  private readTable(): MessagePropertyHeaders | undefined {
    const end = this.at + 4 + this.bytes.readUInt32BE(this.at);
    this.at += 4;
    if (this.at === end) return EMPTY;
    const table: Record<string, unknown> = {};
    while (this.at < end) {
      const name = this.readText();
      const value = this.readValue();
      if (value === undefined) return undefined;
      table[name] = value;
    }
    return this.at === end ? table : undefined;
  }

  /** A header of a plain type; undefined for another. The letters are RabbitMQ's. */
  private readValue(): unknown {
    const { bytes } = this;
    const type = String.fromCharCode(bytes[this.at++] as number);
    const at = this.at;
    switch (type) {
      case 'S':
        this.at += 4 + bytes.readUInt32BE(at);
        return bytes.toString('utf8', at + 4, this.at);
      case 'l':
        this.at += 8;
        return Number(bytes.readBigInt64BE(at));
      case 'I':
        this.at += 4;
        return bytes.readInt32BE(at);
      case 's':
        this.at += 2;
        return bytes.readInt16BE(at);
      case 'b':
        this.at += 1;
        return bytes.readInt8(at);
      case 'd':
        this.at += 8;
        return bytes.readDoubleBE(at);
      case 't':
        this.at += 1;
        return bytes[at] !== 0;
      default:
        return undefined;
    }
  }

  private readText(): string {
    const start = this.at + 1;
    this.at = start + (this.bytes[this.at] as number);
    return this.bytes.toString('utf8', start, this.at);
  }

  private remembered(text: RememberedText): string {
    const start = this.at + 1;
    this.at = start + (this.bytes[this.at] as number);
    return text.read(this.bytes, start, this.at);
  }

  private readLongLong(): number {
    const value = this.bytes.readUInt32BE(this.at) * 2 ** 32 + this.bytes.readUInt32BE(this.at + 4);
    this.at += 8;
    return value;
  }
}
