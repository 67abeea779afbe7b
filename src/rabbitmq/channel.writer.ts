import type { Duplex } from 'node:stream';
import type { Channel } from 'amqplib';
import { Answer, FRAME_OVERHEAD, maxBytesOf, writeAnswer } from './answer.frames.js';

const CHUNK_BYTES = 128 * 1024;

/** What of amqplib's internals (2.3.1) is relied on; `channel.writer.spec.ts` holds them against the real thing. */
interface AmqplibChannel {
  readonly ch: number;
  readonly connection: {
    readonly stream: Duplex;
    readonly frameMax: number;
    sentSinceLastCheck: boolean;
    readonly channels: { buffer: { write(frame: Buffer): boolean; end(): void } }[];
  };
}

/**
 * Takes the place of the stream into which amqplib writes the frames of one channel. What is written in one turn of
 * the event loop leaves in one write; amqplib would make one of each frame, after taking it through two streams.
 */
export class ChannelWriter {
  private readonly internals: AmqplibChannel;
  private chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  private spare: Buffer | undefined;
  private used = 0;
  private isScheduled = false;

  constructor(channel: Channel) {
    this.internals = channel as unknown as AmqplibChannel;
    const slot = this.internals.connection.channels[this.internals.ch];
    if (!slot?.buffer) throw new Error('amqplib has no channel buffer where onnxmq expects it');
    const replaced = slot.buffer;
    slot.buffer = {
      write: (frame) => this.write(frame),
      end: () => {
        this.flush();
        replaced.end();
      },
    };
  }

  /** True when {@link publish} takes it: its body fits in one frame, its names in short strings. */
  fits(answer: Answer): boolean {
    const { frameMax } = this.internals.connection;
    return (
      maxBytesOf(answer) <= Math.min(CHUNK_BYTES, (frameMax || Infinity) - FRAME_OVERHEAD) &&
      isShort(answer.queue) &&
      isShort(answer.messageId) &&
      isShort(answer.correlationId)
    );
  }

  /** Writes an answer as amqplib's `channel.publish` would. */
  publish(answer: Answer): void {
    this.makeRoom(maxBytesOf(answer));
    this.used = writeAnswer(this.chunk, this.used, this.internals.ch, answer);
  }

  private write(frame: Buffer): boolean {
    if (frame.length > CHUNK_BYTES) {
      this.flush();
      return this.internals.connection.stream.write(frame);
    }
    this.makeRoom(frame.length);
    this.used += frame.copy(this.chunk, this.used);
    return true;
  }

  private makeRoom(bytes: number): void {
    if (this.used + bytes > CHUNK_BYTES) this.flush();
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    const { connection } = this.internals;
    if (this.used === 0) return;
    const { chunk, used } = this;
    this.used = 0;
    if (connection.stream.destroyed) return; // the channel is about to say so
    this.chunk = this.spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.spare = undefined;
    connection.sentSinceLastCheck = true; // or a heartbeat would follow
    connection.stream.write(chunk.subarray(0, used), () => (this.spare = chunk));
  }
}

/** AMQP has room for 255 bytes. A name that came in with bytes that are no UTF-8 has become longer by being read. */
function isShort(name = ''): boolean {
  return name.length <= 85 || Buffer.byteLength(name) <= 255;
}
