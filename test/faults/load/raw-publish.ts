import type { Duplex } from 'node:stream';
import { type ConfirmChannel, connect } from 'amqplib';

const BASIC = 60;
const BASIC_PUBLISH = 40;
const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const FRAME_END = 0xce;
/** Content type, headers, delivery mode, correlation id, reply-to, message id. */
const PROPERTY_FLAGS = 0x8000 | 0x2000 | 0x1000 | 0x0400 | 0x0200 | 0x0080;
const PERSISTENT = 2;

/** A request with headers that amqplib cannot write: of more than 64 KiB, or of types that it only reads. */
export interface LargeRequest {
  readonly queue: string;
  readonly replyTo: string;
  readonly id: string;
  readonly body: Buffer;
  /** Texts, or values as they are on the wire, with the letter of their type. */
  readonly headers: Readonly<Record<string, string | Buffer>>;
}

interface AmqplibChannel {
  readonly ch: number;
  readonly connection: { readonly stream: Duplex };
  pushConfirmCallback(onConfirm: (error: Error | null) => void): void;
}

/** Publishes it by frames of its own making; resolves when the broker has confirmed it. */
export async function publishLarge(url: string, request: LargeRequest): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  await new Promise<void>((resolve, reject) => {
    channel.once('error', reject);
    write(channel, request, (error) => (error ? reject(error) : resolve()));
  });
  await connection.close();
}

function write(
  channel: ConfirmChannel,
  { queue, replyTo, id, body, headers }: LargeRequest,
  onConfirm: (error: Error | null) => void,
): void {
  const internals = channel as unknown as AmqplibChannel;
  const { ch, connection } = internals;
  const method = Buffer.concat([
    short(BASIC),
    short(BASIC_PUBLISH),
    short(0),
    text(''),
    text(queue),
    octet(0),
  ]);
  const table = Object.entries(headers).flatMap(([name, value]) => [
    text(name),
    typeof value === 'string' ? Buffer.concat([Buffer.from('S'), longText(value)]) : value,
  ]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length));
  const properties = Buffer.concat([
    short(PROPERTY_FLAGS),
    text('application/json'),
    longText(Buffer.concat(table)),
    octet(PERSISTENT),
    text(id),
    text(replyTo),
    text(id),
  ]);
  const header = Buffer.concat([short(BASIC), short(0), size, properties]);
  const frames = [frame(METHOD, ch, method), frame(HEADER, ch, header)];
  if (body.length > 0) frames.push(frame(BODY, ch, body));
  internals.pushConfirmCallback(onConfirm);
  connection.stream.write(Buffer.concat(frames));
}

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(payload.length);
  return Buffer.concat([octet(type), short(channel), length, payload, octet(FRAME_END)]);
}

function octet(value: number): Buffer {
  return Buffer.from([value]);
}

function short(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function text(value: string): Buffer {
  return Buffer.concat([octet(Buffer.byteLength(value)), Buffer.from(value)]);
}

function longText(value: string | Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
}
