import { randomUUID } from 'node:crypto';
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import { breakConnection, Link } from './link.js';
import { Signal } from './signal.js';

const PREFETCH = 200;

/** How fast messages are taken. */
export interface ReadingPace {
  readonly prefetch: number;
  /** Each message is kept for so long. */
  readonly ackAfterMs: number;
}

const FAST: ReadingPace = { prefetch: PREFETCH, ackAfterMs: 0 };

interface QueueReaderOptions {
  /** Declares the queue, durable and replicated. */
  readonly isDeclared?: boolean;
}

/** Takes what comes to a queue, each message once it is acknowledged, through faults. */
export class QueueReader {
  private readonly link: Link;
  private readonly changes = new Signal();
  private channel: ConfirmChannel | undefined;
  /** Message ids of what this channel has brought last. */
  private recent: string[] = [];
  /** Of what earlier channels have brought last: the broker may not have had the ack, and brings those again. */
  private expectedAgain: string[] = [];
  private connection: ChannelModel | undefined;
  private isPaused = false;
  private pace: ReadingPace = FAST;
  private consumerTag: string | undefined;
  /** The marks of `untilEnd` that have come by. */
  private readonly marks = new Set<string>();

  constructor(
    urls: readonly string[],
    private readonly queue: string,
    private readonly onMessage: (message: ConsumeMessage) => void,
    private readonly options: QueueReaderOptions = {},
  ) {
    this.link = new Link(urls, (connection) => this.use(connection));
  }

  open(): Promise<void> {
    return this.link.open();
  }

  /** Sends a mark through the queue and resolves when it comes: nothing that was in the queue before is left. */
  async untilEnd(): Promise<void> {
    const mark = `mark.${randomUUID()}`;
    await new Promise<void>((resolve, reject) => {
      if (!this.channel) throw new Error(`the reader of '${this.queue}' has no connection`);
      const properties = { persistent: true, type: 'mark', messageId: mark };
      this.channel.sendToQueue(this.queue, Buffer.alloc(0), properties, (error) =>
        error ? reject(error as Error) : resolve(),
      );
    });
    await this.changes.until(() => this.marks.has(mark));
  }

  /** Takes nothing until `resume`, also on a new connection. */
  async pause(): Promise<void> {
    this.isPaused = true;
    if (this.consumerTag) await this.channel?.cancel(this.consumerTag);
  }

  async resume(pace = FAST): Promise<void> {
    this.pace = pace;
    this.isPaused = false;
    if (this.channel && this.connection) await this.consume(this.connection, this.channel);
  }

  close(): Promise<void> {
    return this.link.close();
  }

  private async use(connection: ChannelModel): Promise<void> {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {}); // 'close' follows
    if (this.options.isDeclared)
      await channel.assertQueue(this.queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    if (!this.isPaused) await this.consume(connection, channel);
    channel.on('close', () => {
      if (this.channel === channel) this.channel = undefined;
      this.expectedAgain.push(...this.recent);
      this.recent = [];
    });
    this.channel = channel;
    this.connection = connection;
  }

  private async consume(connection: ChannelModel, channel: ConfirmChannel): Promise<void> {
    await channel.prefetch(this.pace.prefetch);
    const { consumerTag } = await channel.consume(this.queue, (message) => {
      if (message) this.take(channel, message);
      else breakConnection(connection); // cancelled
    });
    this.consumerTag = consumerTag;
  }

  private take(channel: ConfirmChannel, message: ConsumeMessage): void {
    if (message.properties.type === 'mark') this.marks.add(String(message.properties.messageId));
    else if (!this.isOwnRepetition(message)) this.onMessage(message);
    if (this.pace.ackAfterMs === 0) channel.ack(message);
    else setTimeout(() => channel.ack(message), this.pace.ackAfterMs);
    this.changes.poke();
  }

  private isOwnRepetition({ fields, properties }: ConsumeMessage): boolean {
    const id = String(properties.messageId);
    this.recent.push(id);
    if (this.recent.length > PREFETCH) this.recent.shift();
    const index = fields.redelivered ? this.expectedAgain.indexOf(id) : -1;
    if (index >= 0) this.expectedAgain.splice(index, 1);
    return index >= 0;
  }
}
