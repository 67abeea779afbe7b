import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import type { ChannelModel, ConfirmChannel, ConsumeMessage, GetMessage, Options } from 'amqplib';

export const BROKER_URL = process.env['BROKER_URL'] ?? '';

/** An answer, with what a client sees of it. */
export interface Answer {
  readonly body: Record<string, unknown>;
  readonly properties: ConsumeMessage['properties'];
}

/** A client in the way of pika: publishes bodies to a queue it never declares, and reads a queue of its own. */
export class BrokerClient {
  readonly replyQueue = `test.replies.${randomUUID()}`;
  readonly answers: Answer[] = [];
  private onAnswer: () => void = () => {};

  private constructor(
    private readonly connection: ChannelModel,
    readonly channel: ConfirmChannel,
  ) {}

  static async open(url = BROKER_URL): Promise<BrokerClient> {
    const connection = await connect(url, { noDelay: true });
    const client = new BrokerClient(connection, await connection.createConfirmChannel());
    await client.channel.assertQueue(client.replyQueue, { exclusive: true, durable: false });
    await client.channel.consume(client.replyQueue, (message) => message && client.receive(message), {
      noAck: true,
    });
    return client;
  }

  /** Publishes and waits for the broker's confirm. Objects are sent as JSON; answers come to this client. */
  async send(queue: string, body: unknown, options: Options.Publish = {}): Promise<void> {
    const content = Buffer.isBuffer(body)
      ? body
      : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    await new Promise<void>((resolve, reject) =>
      this.channel.sendToQueue(
        queue,
        content,
        { persistent: true, mandatory: true, replyTo: this.replyQueue, ...options },
        (error) => (error ? reject(error as Error) : resolve()),
      ),
    );
  }

  /** Resolves when that many answers have come in all. */
  async received(count: number): Promise<Answer[]> {
    while (this.answers.length < count) await new Promise<void>((resolve) => (this.onAnswer = resolve));
    return this.answers;
  }

  /** Sends one request and waits for its answer. */
  async ask(queue: string, body: unknown, options: Options.Publish = {}): Promise<Answer> {
    const before = this.answers.length;
    await this.send(queue, body, options);
    return (await this.received(before + 1))[before] as Answer;
  }

  /** Takes one message off a queue as soon as there is one; the test's own limit ends a vain wait. */
  async take(queue: string): Promise<GetMessage> {
    for (;;) {
      const message = await this.channel.get(queue, { noAck: true });
      if (message) return message;
    }
  }

  /** Messages ready in a queue. */
  async depth(queue: string): Promise<number> {
    return (await this.channel.checkQueue(queue)).messageCount;
  }

  async close(...queues: string[]): Promise<void> {
    for (const queue of queues) await this.channel.deleteQueue(queue);
    await this.connection.close();
  }

  private receive({ content, properties }: ConsumeMessage): void {
    this.answers.push({ body: JSON.parse(content.toString()) as Record<string, unknown>, properties });
    this.onAnswer();
  }
}
