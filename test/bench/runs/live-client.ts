import { setTimeout as delay } from 'node:timers/promises';
import { Channel, ChannelModel, connect, ConsumeMessage, SocketOptions } from 'amqplib';
import { ChannelWriter } from '../../../src/rabbitmq/channel.writer.js';
import { DeliveryReader } from '../../../src/rabbitmq/delivery.reader.js';
import { Figures, percentile } from '../figures.js';
import { Workload } from '../workload.js';
import { Exchanges } from './exchanges.js';

const PATIENCE_MS = 30_000;
const POLL_MS = 5;

/** A client that waits for its answers, on an exclusive queue of its own, as a caller of a service does. */
export class LiveClient {
  /** Told of each answer. */
  onAnswer: () => void = () => {};
  sent = 0;
  answered = 0;
  private readonly exchanges = new Exchanges();
  private duplicates = 0;

  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: Channel,
    private readonly requests: string,
    private readonly replies: string,
    private readonly workload: Workload,
  ) {}

  static async open(url: string, requests: string, workload: Workload): Promise<LiveClient> {
    const connection = await connect(url, { noDelay: true, highWaterMark: 1 << 18 } as SocketOptions);
    connection.on('error', () => {}); // answers stay away, which is noticed
    const channel = await connection.createChannel();
    // It has the broker's processor: what it does not use there is the broker's.
    void new ChannelWriter(channel);
    void new DeliveryReader(channel);
    const { queue } = await channel.assertQueue('', { exclusive: true, durable: false });
    const client = new LiveClient(connection, channel, requests, queue, workload);
    await channel.consume(queue, (message) => message && client.receive(message), { noAck: true });
    return client;
  }

  /** @param dueAt when it was to be sent, which latency counts from; default: now */
  send(dueAt?: number): void {
    const index = this.sent++;
    const id = String(index);
    const now = performance.now();
    this.exchanges.send(index, dueAt ?? now, now);
    const { content, options } = this.workload.request(index);
    this.channel.sendToQueue(this.requests, content, {
      ...options,
      persistent: true,
      correlationId: id,
      messageId: id,
      replyTo: this.replies,
    });
  }

  /** Waits for what is not answered yet. */
  async allAnswered(): Promise<void> {
    let seen = -1;
    for (let waitedMs = 0; this.answered < this.sent; waitedMs += POLL_MS) {
      if (this.answered !== seen) waitedMs = 0;
      seen = this.answered;
      if (waitedMs > PATIENCE_MS)
        throw new Error(`${this.sent - this.answered} of ${this.sent} answers are missing`);
      await delay(POLL_MS);
    }
  }

  /** @throws Error that says what is wrong with an answer */
  check(): void {
    if (this.duplicates > 0)
      throw new Error(`${this.duplicates} answers came twice, or to nothing that was asked`);
    for (let index = 0; index < this.sent; index++) {
      const content = this.exchanges.answerTo(index);
      const problem = content && this.workload.problemOf(index, content);
      if (problem) throw new Error(`the answer to message ${index} is wrong: ${problem}`);
    }
  }

  /** Latency of the messages from `first` on, from when each was due. */
  latency(first: number): Figures {
    const { dueAt, sentAt, answeredAt } = this.exchanges;
    const since = (at: Float64Array) =>
      at
        .subarray(first, this.sent)
        .map((ms, index) => ms - (dueAt[first + index] as number))
        .toSorted();
    const late = since(sentAt);
    const sorted = since(answeredAt);
    return {
      p50Ms: percentile(sorted, 50),
      p90Ms: percentile(sorted, 90),
      p99Ms: percentile(sorted, 99),
      p999Ms: percentile(sorted, 99.9),
      sendLagP99Ms: percentile(late, 99),
    };
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private receive({ content, properties }: ConsumeMessage): void {
    const index = Number(properties.correlationId);
    if (this.exchanges.receive(index, content, performance.now())) this.answered++;
    else this.duplicates++;
    this.onAnswer();
  }
}
