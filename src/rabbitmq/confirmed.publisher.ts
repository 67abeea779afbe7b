import { Injectable, Logger } from '@nestjs/common';
import type { AmqpConnectionManager, ChannelWrapper } from 'amqp-connection-manager';
import type { ConfirmChannel } from 'amqplib';
import { Settings } from '../config/settings.js';
import { closeInTime, openBrokerConnection, renewConnection } from './broker.connection.js';
import { ChannelWriter } from './channel.writer.js';
import { FullQueues } from './full-queues.js';
import { MissingQueues } from './missing-queues.js';
import { bytesOf, isDirectReply, letterOf, messageIdOf, Outgoing, Pending, Purpose } from './outgoing.js';
import { PublishAbandonedError, TooLargeError, UnroutableError } from './publish.errors.js';
import { Refusals } from './refusals.js';
import { ReturnedMessages } from './returned-messages.js';

const OLD_CHANNEL_MS = 5_000;
/**
 * RabbitMQ 3 closes the connection, with error 541, upon a direct reply to a name that it has not made; to send it again and
 * again would cost all other answers theirs.
 */
const DIRECT_REPLY_LOSSES = 2;
/** What the broker closes the channel with for a message over its `max_message_size`. */
const TOO_LARGE = /message size \d+ is larger than .*max size (\d+)/;

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
  private wrapper: ChannelWrapper | undefined;
  private channel: ConfirmChannel | undefined;
  private writer: ChannelWriter | undefined;
  /** What waits for a connection. */
  private parked: Pending[] = [];
  private readonly refusals: Refusals;
  private readonly missing: MissingQueues;
  /** On the present channel. */
  private returned = new ReturnedMessages();
  /** The most that the broker takes in one message, once it has said so: it closes the channel for more. */
  private maxBytes = Infinity;
  /** Those that take no letters now. */
  readonly fullQueues = new FullQueues();
  private isBlocked = false;
  private isClosing = false;

  constructor(private readonly settings: Settings) {
    this.refusals = new Refusals(
      settings.RESULTS_QUEUE,
      (pending) => this.attempt(pending),
      () => this.renewChannel(),
      this.fullQueues,
    );
    this.missing = new MissingQueues(settings, () => this.manager?.connection);
  }

  /** `open`: publishes go out; `blocked`: the broker is short of memory or disk; `closed`: no connection now. */
  get state(): 'open' | 'blocked' | 'closed' {
    if (!this.channel) return 'closed';
    return this.isBlocked ? 'blocked' : 'open';
  }

  /** The largest frame that the broker takes, in bytes; 0: any, or not known yet. */
  get frameMax(): number {
    return this.writer?.frameMax ?? 0;
  }

  /** True while a queue that is full refuses messages; they are sent again and again. */
  get isRefused(): boolean {
    return this.refusals.isRecent;
  }

  /** Connects, and from then on stays connected. Does not wait for the broker. */
  start(): void {
    const manager = this.connect();
    this.manager = manager;
    manager.on('connect', () => (this.isBlocked = false));
    manager.on('blocked', () => (this.isBlocked = true));
    manager.on('unblocked', () => (this.isBlocked = false));
    manager.on('connectFailed', () => this.sendParked());
    this.openChannel(manager);
  }

  /**
   * @returns when the broker has confirmed the message, which may be after reconnecting
   * @throws UnroutableError, TooLargeError, PublishAbandonedError, RefusedError for a letter, or an answer that is in the
   *   way, to a queue that is full, or RangeError or TypeError for what AMQP cannot encode
   */
  publish(message: Outgoing, purpose: Purpose): Promise<void> {
    return new Promise((resolve, reject) =>
      this.attempt({ message, purpose, refusedAt: undefined, isReturned: false, losses: 0, resolve, reject }),
    );
  }

  /** The worker is about to end: what waits for room in a queue is given up, but for answers. */
  hurry(): void {
    this.refusals.hurry();
  }

  /** Gives up what is not confirmed and closes the connection. */
  async close(): Promise<void> {
    this.isClosing = true;
    this.sendParked();
    this.refusals.sendAll();
    await closeInTime(this.manager, () => this.manager?.close());
  }

  protected connect(): AmqpConnectionManager {
    return openBrokerConnection(this.settings, 'publish');
  }

  private openChannel(manager: AmqpConnectionManager): void {
    this.wrapper = manager.createChannel({
      confirm: true,
      setup: (channel: ConfirmChannel) => this.use(channel),
    });
    this.wrapper.on('error', (error) =>
      this.logger.error(`publish: cannot open a channel (${error.message})`),
    );
  }

  /**
   * RabbitMQ 3.10 refuses a channel's messages for ever where the queue got room by a change of its limit. It takes them
   * on another.
   */
  private renewChannel(): void {
    const { wrapper, manager } = this;
    if (!manager || this.isClosing) return;
    this.openChannel(manager);
    // Until then what is on its way there is confirmed; it would be sent again otherwise.
    setTimeout(() => void wrapper?.close().catch(() => {}), OLD_CHANNEL_MS);
  }

  private use(channel: ConfirmChannel): void {
    const returned = new ReturnedMessages();
    this.returned = returned;
    channel.on('error', (error: Error) => this.onChannelError(error));
    // First in line for 'close', before amqplib fails the unconfirmed publishes.
    channel.prependListener('close', () => {
      if (this.channel === channel) this.channel = undefined;
    });
    channel.on('return', (message) => returned.add(message));
    this.channel = channel;
    this.writer = new ChannelWriter(channel);
    this.refusals.onChannel();
    this.sendParked();
  }

  /** Nothing renews a channel alone. */
  private onChannelError({ message }: Error): void {
    const [, maxBytes] = TOO_LARGE.exec(message) ?? [];
    if (maxBytes) this.maxBytes = Number(maxBytes);
    renewConnection(this.manager, message);
  }

  private sendParked(): void {
    const parked = this.parked;
    this.parked = [];
    for (const pending of parked) this.attempt(pending);
  }

  private attempt(pending: Pending): void {
    if (this.isClosing || pending.purpose.isStale) {
      pending.reject(new PublishAbandonedError());
      return;
    }
    if (this.maxBytes < Infinity && bytesOf(pending.message) > this.maxBytes) {
      pending.reject(new TooLargeError(bytesOf(pending.message), this.maxBytes));
      return;
    }
    const refusal = this.refusals.refusalAtOnce(pending);
    if (refusal) {
      pending.reject(refusal);
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
    const { returned } = this;
    const onConfirm = (error: unknown) => {
      if (error) this.retry(pending, channel);
      else if (returned.take(message.queue, messageIdOf(message))) void this.onReturned(pending);
      else {
        this.refusals.onAccepted(pending);
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

  /** No queue took it. It gets one more chance where that queue can be had again. */
  private async onReturned(pending: Pending): Promise<void> {
    const { queue } = pending.message;
    const isWorthwhile = !pending.isReturned && (await this.missing.restore(queue));
    pending.isReturned = true;
    if (isWorthwhile) {
      this.attempt(pending);
      return;
    }
    const error = new UnroutableError(queue);
    if (!('body' in pending.message)) this.fullQueues.refused(queue, error.message);
    pending.reject(error);
  }

  private retry(pending: Pending, usedChannel: ConfirmChannel): void {
    if (this.channel === usedChannel) this.refusals.add(pending);
    else if (++pending.losses >= DIRECT_REPLY_LOSSES && isDirectReply(pending.message.queue))
      pending.reject(new UnroutableError(pending.message.queue));
    else this.attempt(pending);
  }
}
