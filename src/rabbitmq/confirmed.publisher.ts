import { Injectable, Logger } from '@nestjs/common';
import type { AmqpConnectionManager } from 'amqp-connection-manager';
import type { ConfirmChannel, Message, Options } from 'amqplib';
import { Settings } from '../config/settings.js';
import { Answer } from './answer.frames.js';
import { Backoff } from './backoff.js';
import { closedInTime, openBrokerConnection } from './broker.connection.js';
import { ChannelWriter } from './channel.writer.js';

/** Any other message for a queue, by way of the default exchange. */
export interface Letter {
  readonly queue: string;
  readonly content: Buffer;
  readonly options: Options.Publish;
}

export type Outgoing = Answer | Letter;

/** No queue of that name took the message; the broker has said so by `basic.return`. */
export class UnroutableError extends Error {
  constructor(readonly queue: string) {
    super(`there is no queue '${queue}'`);
    this.name = 'UnroutableError';
  }
}

/** The message is no longer wanted, or this worker is about to end; it may or may not be with the broker. */
export class PublishAbandonedError extends Error {
  constructor() {
    super('the publish was given up');
    this.name = 'PublishAbandonedError';
  }
}

/** What a message is published for. Once that is stale, the broker has it again, and this publish is not wanted. */
export interface Purpose {
  readonly isStale: boolean;
}

interface Pending {
  readonly message: Outgoing;
  readonly purpose: Purpose;
  resolve(): void;
  reject(error: Error): void;
}

/** A queue that was full a moment ago may be still. */
const REFUSED_FOR_MS = 5_000;

/**
 * Publishes persistent, mandatory messages and says when the broker has confirmed them. Has a connection of its
 * own: a broker that is short of memory stops reading from publishers, and the acks must not wait with them.
 *
 * What is not confirmed when the connection is lost is sent again on the next one, with the same `message_id`.
 */
@Injectable()
export class ConfirmedPublisher {
  private readonly logger = new Logger('RabbitMQ');
  private manager: AmqpConnectionManager | undefined;
  private channel: ConfirmChannel | undefined;
  private writer: ChannelWriter | undefined;
  /** What waits for a connection. */
  private parked: Pending[] = [];
  /** What a full queue refused, and waits to be sent again. */
  private refused: Pending[] = [];
  private readonly refusals = new Backoff();
  private readonly returned = new Map<string, number>();
  private isBlocked = false;
  private isClosing = false;
  private refusedAt = -Infinity;

  constructor(private readonly settings: Settings) {}

  /** `open`: publishes go out; `blocked`: the broker is short of memory or disk; `closed`: no connection now. */
  get state(): 'open' | 'blocked' | 'closed' {
    if (!this.channel) return 'closed';
    return this.isBlocked ? 'blocked' : 'open';
  }

  /** True while a queue that is full refuses messages; they are sent again and again. */
  get isRefused(): boolean {
    return this.refused.length > 0 || performance.now() - this.refusedAt < REFUSED_FOR_MS;
  }

  /** Connects, and from then on stays connected. Does not wait for the broker. */
  start(): void {
    const manager = this.connect();
    this.manager = manager;
    manager.on('blocked', () => (this.isBlocked = true));
    manager.on('unblocked', () => (this.isBlocked = false));
    manager.on('connectFailed', () => this.sendParked());
    const wrapper = manager.createChannel({
      confirm: true,
      setup: (channel: ConfirmChannel) => this.use(channel),
    });
    wrapper.on('error', (error) => this.logger.error(`publish: cannot open a channel (${error.message})`));
  }

  /**
   * @returns when the broker has confirmed the message, which may be after reconnecting
   * @throws UnroutableError, PublishAbandonedError, or RangeError or TypeError for what AMQP cannot encode
   */
  publish(message: Outgoing, purpose: Purpose): Promise<void> {
    return new Promise((resolve, reject) => this.attempt({ message, purpose, resolve, reject }));
  }

  /** Gives up what is not confirmed and closes the connection. */
  async close(): Promise<void> {
    this.isClosing = true;
    this.sendParked();
    this.sendRefused();
    await closedInTime(this.manager?.close());
  }

  protected connect(): AmqpConnectionManager {
    return openBrokerConnection(this.settings, 'publish');
  }

  private use(channel: ConfirmChannel): void {
    this.isBlocked = false;
    this.returned.clear();
    // No listener for 'error': unhandled, it takes the connection down, and the manager then renews both.
    // First in line for 'close', before amqplib fails the unconfirmed publishes.
    channel.prependListener('close', () => {
      if (this.channel === channel) this.channel = undefined;
    });
    channel.on('return', (message) =>
      this.returned.set(keyOf(message), (this.returned.get(keyOf(message)) ?? 0) + 1),
    );
    this.channel = channel;
    this.writer = new ChannelWriter(channel);
    this.sendParked();
  }

  private sendParked(): void {
    const parked = this.parked;
    this.parked = [];
    for (const pending of parked) this.attempt(pending);
  }

  private sendRefused(): void {
    const { refused } = this;
    this.refused = [];
    for (const pending of refused) this.attempt(pending);
  }

  private attempt(pending: Pending): void {
    if (this.isClosing || pending.purpose.isStale) {
      pending.reject(new PublishAbandonedError());
      return;
    }
    const { channel } = this;
    if (!channel) {
      this.parked.push(pending);
      return;
    }
    try {
      this.send(channel, pending);
    } catch (error) {
      if (error instanceof RangeError || error instanceof TypeError) pending.reject(error);
      else this.retry(pending, channel);
    }
  }

  private send(channel: ConfirmChannel, pending: Pending): void {
    const { message } = pending;
    const onConfirm = (error: unknown) => {
      if (error) this.retry(pending, channel);
      else if (this.returned.size > 0 && this.takeReturn(message))
        pending.reject(new UnroutableError(message.queue));
      else {
        if (this.refusals.attempt > 0) this.refusals.reset();
        pending.resolve();
      }
    };
    if (!('body' in message)) channel.publish('', message.queue, message.content, message.options, onConfirm);
    else if (this.writer?.takes(message)) this.writer.publish(message, onConfirm);
    else {
      const { queue, content, options } = letterOf(message);
      channel.publish('', queue, content, options, onConfirm);
    }
  }

  private retry(pending: Pending, usedChannel: ConfirmChannel): void {
    if (this.channel !== usedChannel) return this.attempt(pending);
    this.refusedAt = performance.now();
    // All of them together, and ever more slowly: a queue that is full stays so for a while.
    if (this.refused.push(pending) === 1) setTimeout(() => this.sendRefused(), this.refusals.next());
  }

  /** A return comes before the confirm of its message, and carries nothing but the message to know it by. */
  private takeReturn(message: Outgoing): boolean {
    const key = `${message.queue}\n${'body' in message ? message.messageId : message.options.messageId}`;
    const count = this.returned.get(key);
    if (count === undefined) return false;
    if (count > 1) this.returned.set(key, count - 1);
    else this.returned.delete(key);
    return true;
  }
}

/** An answer that is too large for one frame, as amqplib takes it. */
function letterOf({ queue, body, traceparent, mandatory, ...properties }: Answer): Letter {
  const options = { ...properties, mandatory, persistent: true, contentType: 'application/json' };
  return {
    queue,
    content: Buffer.from(body),
    options: traceparent === undefined ? options : { ...options, headers: { traceparent } },
  };
}

function keyOf({ fields, properties }: Message): string {
  return `${fields.routingKey}\n${properties.messageId}`;
}
