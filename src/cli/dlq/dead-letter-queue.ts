import { setTimeout as delay } from 'node:timers/promises';
import { ChannelModel, ConfirmChannel, ConsumeMessage, Options } from 'amqplib';
import { Settings } from '../../config/settings.js';
import { copiedProperties } from '../../rabbitmq/dead-letter.js';
import { writable } from '../../rabbitmq/left-out.js';
import { deadLetterQueue } from '../../rabbitmq/topology.js';
import { Arrivals } from './arrivals.js';
import { checkQueue, connectToAny, hasNoDeliveryLimit } from './dlq-connection.js';
import { LetterSummary, summaryOf } from './letter-summary.js';

const CLOSE_TIMEOUT_MS = 5_000;
const PUT_BACK_TIMEOUT_MS = 2_000;
const PUT_BACK_POLL_MS = 10;
/** How long no letter may come before the broker is asked whether there are any. */
const IDLE_MS = 1_000;
/** RabbitMQ 3 puts back the letters of a channel's consumers in the order of their tags only up to this many. */
const MAX_CONSUMERS = 32;
const MAX_PREFETCH = 65_535;
/** RabbitMQ 4 drops a letter after 20 deliveries, unless its queue says otherwise. */
const WORN_AFTER_DELIVERIES = 10;

/** A letter in hand: this process's until it is moved, removed or the connection closes. */
export interface DeadLetter {
  readonly message: ConsumeMessage;
  readonly summary: LetterSummary;
}

/**
 * The dead letters, looked at one after the other. A letter that is in hand when the connection closes, however
 * it does, is back in the queue: nothing is lost, whatever ends this process. RabbitMQ puts those that come back
 * behind those that came back earlier, so that all stay in order when all have been looked at.
 */
export class DeadLetterQueue {
  readonly name: string;
  private readonly arrivals = new Arrivals();
  private failure: Error | undefined;
  private hasReturned = false;
  private consumers = 0;
  private keptOfConsumer = 0;
  /** Most unsettled letters of the present consumer. */
  private prefetch = 0;
  /** The same for those after the first. */
  private nextPrefetch = 0;
  /** Letters that have come and are neither removed nor moved. */
  private unsettled = 0;

  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    readonly requestQueue: string,
    /** The broker counts deliveries, and drops what it has delivered too often. */
    private readonly wearsOut: boolean,
    private readonly signal: AbortSignal,
  ) {
    this.name = deadLetterQueue({ REQUEST_QUEUE: requestQueue });
    const onEnd = (error?: Error) => this.fail(error ?? new Error('the connection to the broker was closed'));
    for (const emitter of [connection, channel]) emitter.on('error', onEnd).on('close', onEnd);
    channel.on('return', () => (this.hasReturned = true));
    signal.addEventListener('abort', () => this.arrivals.stir());
  }

  /** @throws Error for a person: there is no broker, or no such queue */
  static async open(settings: Settings, signal: AbortSignal): Promise<DeadLetterQueue> {
    const connection = await connectToAny(settings);
    try {
      await checkQueue(connection, deadLetterQueue(settings), 'is REQUEST_QUEUE right?');
      const version = connection.connection.serverProperties.version;
      const wearsOut = Number.parseInt(version, 10) >= 4 && !(await hasNoDeliveryLimit(connection, settings));
      const channel = await connection.createConfirmChannel();
      return new DeadLetterQueue(connection, channel, settings.REQUEST_QUEUE, wearsOut, signal);
    } catch (error) {
      await connection.close().catch(() => {});
      throw error;
    }
  }

  /** Letters that nobody has in hand. */
  async count(): Promise<number> {
    return (await this.channel.checkQueue(this.name)).messageCount;
  }

  /** @throws Error when there is no queue to replay to */
  async checkRequestQueue(): Promise<void> {
    await checkQueue(this.connection, this.requestQueue, 'is a worker running?');
  }

  /**
   * The letters that are there now, each in hand when it comes.
   *
   * @param inHand most letters, with their bodies, between the broker and the caller; once that many have been kept,
   *   a 31st of the queue where that is more
   * @throws when interrupted, or when the connection is lost
   */
  async *letters(inHand: number): AsyncGenerator<DeadLetter> {
    const there = await this.count();
    const share = Math.floor(there / (MAX_CONSUMERS - 1)) + 1;
    this.nextPrefetch = Math.min(Math.max(inHand, share), MAX_PREFETCH);
    await this.consume(inHand);
    for (let position = 1; position <= there; position++) {
      const message = await this.next();
      if (!message) return;
      yield { message, summary: summaryOf(message, position) };
    }
  }

  /** Has no use for the letter: it stays in the queue, and out of sight of the others until this process ends. */
  async keep(letter: DeadLetter): Promise<void> {
    const deliveries: unknown = letter.message.properties.headers?.['x-delivery-count'];
    if (this.wearsOut && typeof deliveries === 'number' && deliveries >= WORN_AFTER_DELIVERIES) {
      // A copy at the end of the queue, whose count begins anew.
      await this.move(letter, this.name, copiedProperties(letter.message.properties));
      return;
    }
    // A consumer that has kept all it may hold is sent nothing more; the next one is. Not before: a letter that is on
    // its way to a consumer when that is cancelled goes back into the queue, behind others that have been sent since.
    if (++this.keptOfConsumer < this.prefetch) return;
    await this.channel.cancel(this.consumerTag); // has an effect where only one consumer is served at a time
    await this.consume(this.nextPrefetch);
  }

  /** Takes the letter out of the queue, for good. */
  remove({ message }: DeadLetter): void {
    this.channel.ack(message);
    this.unsettled--;
  }

  /**
   * Publishes the letter's body to a queue, and takes the letter out of this one when the broker has confirmed that.
   *
   * @throws Error when the queue does not exist or refuses it; the letter then stays, and no more letters come
   */
  async move(letter: DeadLetter, queue: string, properties: Options.Publish): Promise<void> {
    try {
      await this.publish(letter, queue, properties);
    } catch (error) {
      this.fail(error as Error); // whoever waits for the next letter would wait for the place of this one
      throw error;
    }
    this.remove(letter);
  }

  private async publish(letter: DeadLetter, queue: string, properties: Options.Publish): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.channel.sendToQueue(
        queue,
        letter.message.content,
        { ...writable(properties), persistent: true, mandatory: true },
        (error: unknown) =>
          error
            ? reject(this.failure ?? new Error(`queue '${queue}' refuses messages; is it full?`))
            : resolve(),
      ),
    );
    // A return does not say of which publish it is, only that it comes before that one's confirm.
    if (this.hasReturned) throw new Error(`there is no queue '${queue}' (any more)`);
  }

  /** Puts back all that is in hand, and waits for it to be there. */
  async close(): Promise<void> {
    // A broker that is short of memory does not answer.
    await Promise.race([this.putBack().catch(() => {}), delay(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
  }

  private async putBack(): Promise<void> {
    const readyThen = (await this.count()) + this.unsettled;
    // Not nack: it would lose the order, and RabbitMQ 3 puts last what is nacked.
    await this.channel.close();
    const watcher = await this.connection.createChannel();
    // RabbitMQ answers first. Others may take some of it meanwhile.
    const deadline = performance.now() + PUT_BACK_TIMEOUT_MS;
    while ((await watcher.checkQueue(this.name)).messageCount < readyThen && performance.now() < deadline)
      await delay(PUT_BACK_POLL_MS);
    await this.connection.close();
  }

  private async next(): Promise<ConsumeMessage | undefined> {
    for (;;) {
      this.signal.throwIfAborted();
      if (this.failure) throw this.failure;
      const message = this.arrivals.take();
      if (message) return message;
      if (await this.arrivals.stirred(IDLE_MS)) continue;
      // Others may have taken the rest; what they have not, comes before the answer.
      if ((await this.count()) === 0) return this.arrivals.take();
    }
  }

  private async consume(prefetch: number): Promise<void> {
    this.consumers++;
    this.keptOfConsumer = 0;
    this.prefetch = prefetch;
    await this.channel.prefetch(prefetch);
    await this.channel.consume(
      this.name,
      (message) => {
        if (message) {
          this.unsettled++;
          this.arrivals.add(message);
          return;
        }
        this.fail(new Error(`queue '${this.name}' was deleted, or is not available`));
      },
      { consumerTag: this.consumerTag },
    );
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.arrivals.stir();
  }

  /** RabbitMQ puts back the letters of one consumer after the other, in the order of their tags. */
  private get consumerTag(): string {
    return `onnxmq-dlq-${String(this.consumers).padStart(8, '0')}`;
  }
}
