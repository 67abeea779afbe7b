import { randomUUID } from 'node:crypto';
import { connect, type ChannelModel, type ConfirmChannel, type ConsumeMessage, type Options } from 'amqplib';

export const BROKER_URL = process.env['BROKER_URL'] ?? '';

/** A message as its receiver sees it. */
export class Letter {
  readonly content: Buffer;
  readonly properties: ConsumeMessage['properties'];
  readonly isRedelivered: boolean;

  constructor({ content, properties, fields }: ConsumeMessage) {
    this.content = content;
    this.properties = properties;
    this.isRedelivered = fields.redelivered;
  }

  /** The content as a JSON object. */
  get body(): Record<string, unknown> {
    return JSON.parse(this.content.toString()) as Record<string, unknown>;
  }

  get headers(): Record<string, unknown> {
    return this.properties.headers ?? {};
  }
}

/** What a consumer has received so far, in order. */
export class Inbox {
  readonly letters: Letter[] = [];
  private readonly watchers = new Set<() => void>();

  add(message: ConsumeMessage): void {
    this.letters.push(new Letter(message));
    for (const watcher of this.watchers) watcher();
  }

  /** Resolves when that many letters have come in all. */
  received(count: number): Promise<readonly Letter[]> {
    return this.until(() => (this.letters.length >= count ? this.letters : undefined));
  }

  /** The first letter, past or future, with that correlation id. */
  answerTo(correlationId: string): Promise<Letter> {
    let seen = 0;
    return this.until(() => {
      while (seen < this.letters.length) {
        const letter = this.letters[seen++];
        if (letter?.properties.correlationId === correlationId) return letter;
      }
      return undefined;
    });
  }

  /** Resolves with the answers by correlation id when there is one to each of so many requests. */
  answersTo(requests: number): Promise<ReadonlyMap<string, readonly Letter[]>> {
    const byRequest = new Map<string, Letter[]>();
    let seen = 0;
    return this.until(() => {
      for (; seen < this.letters.length; seen++) {
        const letter = this.letters[seen] as Letter;
        const id = String(letter.properties.correlationId);
        byRequest.set(id, [...(byRequest.get(id) ?? []), letter]);
      }
      return byRequest.size >= requests ? byRequest : undefined;
    });
  }

  /** Asks now, and again with each letter that comes. */
  private until<T>(ask: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const watcher = () => {
        try {
          const answer = ask();
          if (answer === undefined) return;
          this.watchers.delete(watcher);
          resolve(answer);
        } catch (error) {
          reject(error);
        }
      };
      this.watchers.add(watcher);
      watcher();
    });
  }
}

/** A client in the way of pika: publishes bodies to a queue it never declares, and reads a queue of its own. */
export class BrokerClient {
  readonly replyQueue = `test.replies.${randomUUID()}`;
  /** What came to the reply queue. */
  readonly replies = new Inbox();

  private constructor(
    private readonly connection: ChannelModel,
    readonly channel: ConfirmChannel,
  ) {}

  static async open(url = BROKER_URL): Promise<BrokerClient> {
    const connection = await connect(url, { noDelay: true });
    const client = new BrokerClient(connection, await connection.createConfirmChannel());
    await client.channel.assertQueue(client.replyQueue, { exclusive: true, durable: false });
    await client.consume(client.replyQueue, client.replies);
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

  /** Sends one request and waits for its answer. */
  async ask(queue: string, body: unknown, options: Options.Publish = {}): Promise<Letter> {
    const correlationId = options.correlationId ?? randomUUID();
    await this.send(queue, body, { ...options, correlationId });
    return this.replies.answerTo(correlationId);
  }

  /** Takes all that comes to a queue, until the client closes. */
  async collect(queue: string): Promise<Inbox> {
    const inbox = new Inbox();
    await this.consume(queue, inbox);
    return inbox;
  }

  /** Messages ready in a queue. */
  async depth(queue: string): Promise<number> {
    return (await this.channel.checkQueue(queue)).messageCount;
  }

  async close(...queues: string[]): Promise<void> {
    for (const queue of queues) await this.channel.deleteQueue(queue);
    await this.connection.close();
  }

  private async consume(queue: string, inbox: Inbox): Promise<void> {
    await this.channel.consume(queue, (message) => message && inbox.add(message), { noAck: true });
  }
}
