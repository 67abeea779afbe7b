import { ChannelModel, ConfirmChannel, connect, SocketOptions } from 'amqplib';
import { readSettings } from '../../src/config/settings.js';
import { ensureTopology, queuesOf } from '../../src/rabbitmq/topology.js';
import { Workload } from './workload.js';

/** The queues of one run, made as the product makes its own, and what goes through them. */
export class Queues {
  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    readonly requests: string,
    readonly results: string,
  ) {}

  static async open(url: string, name: string): Promise<Queues> {
    const connection = await connect(url, { noDelay: true, highWaterMark: 1 << 18 } as SocketOptions);
    connection.on('error', () => {}); // the next call rejects
    const [requests, results] = [name, `${name}.results`];
    await ensureTopology(connection, readSettings({ REQUEST_QUEUE: requests, RESULTS_QUEUE: results }));
    return new Queues(connection, await connection.createConfirmChannel(), requests, results);
  }

  /** Sends messages `first … end - 1`; resolves when the broker has confirmed them all. */
  async publish(workload: Workload, first: number, end: number): Promise<void> {
    for (let index = first; index < end; index++) {
      const id = String(index);
      const { content, options } = workload.request(index);
      const isRoom = this.channel.sendToQueue(this.requests, content, {
        ...options,
        persistent: true,
        correlationId: id,
        messageId: id,
        replyTo: this.results,
      });
      if (!isRoom) await new Promise((resolve) => this.channel.once('drain', resolve));
      if (index % 2000 === 1999) await this.channel.waitForConfirms();
    }
    await this.channel.waitForConfirms();
  }

  /** Requests that no worker has in hand. */
  async waitingRequests(): Promise<number> {
    return (await this.channel.checkQueue(this.requests)).messageCount;
  }

  async answers(): Promise<number> {
    return (await this.channel.checkQueue(this.results)).messageCount;
  }

  /**
   * Takes the answers and checks each.
   *
   * @throws Error that says what is wrong with the first wrong one, or how many are missing or doubled
   */
  async checkAnswers(workload: Workload, count: number): Promise<void> {
    const seen = new Set<number>();
    let problem: string | undefined;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 30_000);
      void this.channel.consume(
        this.results,
        (message) => {
          if (!message) return;
          const index = Number(message.properties.correlationId);
          const wrong = seen.has(index) ? 'it came twice' : workload.problemOf(index, message.content);
          if (wrong) problem ??= `the answer to message ${index} is wrong: ${wrong}`;
          seen.add(index);
          if (seen.size < count && !problem) return;
          clearTimeout(timer);
          resolve();
        },
        { noAck: true },
      );
    });
    if (problem) throw new Error(problem);
    if (seen.size < count) throw new Error(`${count - seen.size} of ${count} answers are missing`);
  }

  async close(): Promise<void> {
    const ofWorker = queuesOf(readSettings({ REQUEST_QUEUE: this.requests })).map(({ name }) => name);
    for (const queue of [this.results, ...ofWorker]) await this.channel.deleteQueue(queue);
    await this.connection.close();
  }
}
