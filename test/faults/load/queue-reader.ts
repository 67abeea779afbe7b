import { randomUUID } from 'node:crypto';
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import { breakConnection, Link } from './link.js';
import { Signal } from './signal.js';

const PREFETCH = 200;

interface QueueReaderOptions {
  /** Declares the queue, durable and replicated. */
  readonly isDeclared?: boolean;
}

/** Takes what comes to a queue, each message once it is acknowledged, through faults. */
export class QueueReader {
  private readonly link: Link;
  private readonly changes = new Signal();
  private channel: ConfirmChannel | undefined;
  private connection: ChannelModel | undefined;
  private consumerTag = '';
  private isPaused = false;
  /** Message ids of what this channel has brought last. */
  private recent: string[] = [];
  /** Of what earlier channels have brought last: the broker may not have had the ack, and brings those again. */
  private expectedAgain: string[] = [];
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

  /** Takes nothing until `resume`; what comes stays in the queue. */
  async pause(): Promise<void> {
    this.isPaused = true;
    await this.channel?.cancel(this.consumerTag);
  }

  async resume(): Promise<void> {
    this.isPaused = false;
    if (this.channel) await this.consume(this.channel);
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

  close(): Promise<void> {
    return this.link.close();
  }

  private async use(connection: ChannelModel): Promise<void> {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {}); // 'close' follows
    if (this.options.isDeclared)
      await channel.assertQueue(this.queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.prefetch(PREFETCH);
    this.connection = connection;
    if (!this.isPaused) await this.consume(channel);
    channel.on('close', () => {
      if (this.channel === channel) this.channel = undefined;
      this.expectedAgain.push(...this.recent);
      this.recent = [];
    });
    this.channel = channel;
  }

  private async consume(channel: ConfirmChannel): Promise<void> {
    const { consumerTag } = await channel.consume(this.queue, (message) => {
      if (message) this.take(channel, message);
      else if (this.connection) breakConnection(this.connection); // cancelled
    });
    this.consumerTag = consumerTag;
  }

  private take(channel: ConfirmChannel, message: ConsumeMessage): void {
    if (message.properties.type === 'mark') this.marks.add(String(message.properties.messageId));
    else if (!this.isOwnRepetition(message)) this.onMessage(message);
    channel.ack(message);
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
