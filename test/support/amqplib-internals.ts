import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import type { ChannelModel } from 'amqplib';

/** A frame as amqplib decodes it: a method has an `id`, a header a `size` besides, a body `content`. */
export interface DecodedFrame {
  readonly id?: number;
  readonly channel: number;
  readonly fields?: Record<string, unknown>;
  readonly size?: number;
  readonly content?: Buffer;
}

export interface AmqplibConnection extends EventEmitter {
  readonly stream: Duplex;
  readonly frameMax: number;
  readonly sentSinceLastCheck: boolean;
  accept(frame: DecodedFrame): unknown;
  open(fields: object, callback: (error: Error | null) => void): void;
  sendHeartbeat(): void;
  checkSend(): boolean;
}

interface ParsedFrame {
  readonly rest: Buffer;
}

type Defs = Record<string, number> & {
  encodeMethod(id: number, channel: number, fields: object): Buffer;
  encodeProperties(id: number, channel: number, size: number, fields: object): Buffer;
};

interface Frames {
  readonly HEARTBEAT: DecodedFrame;
  readonly HEARTBEAT_BUF: Buffer;
  parseFrame(bytes: Buffer, maxBytes: number): ParsedFrame | false;
  decodeFrame(frame: ParsedFrame): DecodedFrame;
  makeBodyFrame(channel: number, content: Buffer): Buffer;
}

// By their paths, because the package exports nothing of this.
const inside = createRequire(import.meta.url);
export const defs = inside('../../node_modules/amqplib/lib/defs.js') as Defs;
export const frames = inside('../../node_modules/amqplib/lib/frame.js') as Frames;
export const { Connection } = inside('../../node_modules/amqplib/lib/connection.js') as {
  Connection: new (stream: Duplex) => AmqplibConnection;
};
export const { ChannelModel: Model } = inside('../../node_modules/amqplib/lib/channel_model.js') as {
  ChannelModel: new (connection: AmqplibConnection) => ChannelModel;
};

/** The frame of a method, such as `BasicAck`. */
export function method(name: string, channel: number, fields: object = {}): Buffer {
  return defs.encodeMethod(defs[name] as number, channel, fields);
}

/** The frames of a message's content: its header and its body in pieces of up to `maxBytes`. */
export function contentFrames(
  channel: number,
  properties: object,
  content: Buffer,
  maxBytes = Infinity,
): Buffer[] {
  const header = defs.encodeProperties(
    defs['BasicProperties'] as number,
    channel,
    content.length,
    properties,
  );
  const bodies: Buffer[] = [];
  for (let at = 0; at < content.length; at += maxBytes)
    bodies.push(frames.makeBodyFrame(channel, content.subarray(at, at + maxBytes)));
  return [header, ...bodies];
}

/** All frames in `bytes`, decoded by amqplib, and what is left over. */
export function decode(bytes: Buffer): { decoded: DecodedFrame[]; rest: Buffer } {
  const decoded: DecodedFrame[] = [];
  let rest = bytes;
  for (;;) {
    const frame = frames.parseFrame(rest, 0);
    if (!frame) return { decoded, rest };
    decoded.push(frames.decodeFrame(frame));
    rest = frame.rest;
  }
}
