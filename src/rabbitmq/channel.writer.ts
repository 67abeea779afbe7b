import type { Duplex } from 'node:stream';
import type { Channel } from 'amqplib';
import { isShortString } from '../protocol/short-string.js';
import { Answer, FRAME_OVERHEAD, maxBytesOf, writeAnswer } from './answer.frames.js';

const CHUNK_BYTES = 128 * 1024;

/** What of amqplib's internals (2.3.1) is relied on; `channel.writer.spec.ts` holds them against the real thing. */
interface AmqplibChannel {
  readonly ch: number;
  pushConfirmCallback(onConfirm?: (error: unknown) => void): void;
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
  private spare: Buffer | undefined = Buffer.allocUnsafeSlow(CHUNK_BYTES);
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

  /** The largest frame of the connection, in bytes; 0: any. */
  get frameMax(): number {
    return this.internals.connection.frameMax;
  }

  /**
   * True when {@link publish} takes it: its body is all JSON and fits in one frame, its names in short strings, and the
   * channel is not closing. amqplib takes the others, or refuses them with a reason.
   */
  takes(answer: Answer): boolean {
    const { frameMax } = this;
    return (
      !Object.hasOwn(this.internals, 'sendMessage') && // amqplib puts one that throws there
      answer.tensors === undefined &&
      maxBytesOf(answer) <= Math.min(CHUNK_BYTES, (frameMax || Infinity) - FRAME_OVERHEAD) &&
      // A name that came in with bytes that are no UTF-8 has become longer by being read.
      isShortString(answer.queue) &&
      isShortString(answer.messageId) &&
      isShortString(answer.correlationId ?? '')
    );
  }

  /**
   * Writes an answer as the `publish` of amqplib's confirm channel would.
   *
   * @param onConfirm told once the broker has confirmed it, or with an error when it has not
   */
  publish(answer: Answer, onConfirm?: (error: unknown) => void): void {
    this.makeRoom(maxBytesOf(answer));
    this.used = writeAnswer(this.chunk, this.used, this.internals.ch, answer);
    this.internals.pushConfirmCallback(onConfirm);
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
    connection.sentSinceLastCheck = true; // or a heartbeat would follow
    if (!this.spare) {
      // A write is on its way, and may be for long: a broker that is short of memory reads nothing. Whole chunks for
      // a few bytes each would pile up.
      connection.stream.write(Buffer.from(chunk.subarray(0, used)));
      return;
    }
    this.chunk = this.spare;
    this.spare = undefined;
    connection.stream.write(chunk.subarray(0, used), () => (this.spare = chunk));
  }
}
