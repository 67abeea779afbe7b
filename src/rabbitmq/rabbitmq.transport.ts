import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { Injectable, Logger } from '@nestjs/common';
import { RmqContext, ServerRMQ } from '@nestjs/microservices';
import type { AmqpConnectionManager, ChannelWrapper } from 'amqp-connection-manager';
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { isObservable } from 'rxjs';
import { Settings } from '../config/settings.js';
import { Capacity } from '../models/capacity.js';
import { INFER_PATTERN } from '../protocol/request.decoder.js';
import { turnNow } from '../turn-clock.js';
import { AckCoalescer } from './ack.coalescer.js';
import { Backoff } from './backoff.js';
import { closedInTime, openBrokerConnection } from './broker.connection.js';
import { ChannelWriter } from './channel.writer.js';
import { Delivery } from './delivery.js';
import { DeliveryReader } from './delivery.reader.js';
import { ensureTopology } from './topology.js';

/** `connecting`: not consuming now, on the way to it; the others are what they say. */
export type TransportState = 'connecting' | 'consuming' | 'draining' | 'closed';

/**
 * Nest's RabbitMQ transport with custody: takes deliveries, hands each to the `@MessagePattern('infer')`
 * handler, and knows nothing of what is in them.
 *
 * What of `ServerRMQ` is kept: handler registration, `listen`, the connection manager's life and its status. What is
 * its own: raw bodies, no ack before the outcome, a cancelled consumer that comes back, and a close that drains.
 */
@Injectable()
export class RabbitMqTransport extends ServerRMQ {
  state: TransportState = 'connecting';
  /** Takes each delivery. Nest's own handler of the pattern, unless somebody knows a shorter way to it. */
  handler: ((delivery: Delivery) => void) | undefined;
  /** Takes the deliveries that a guard, pipe or interceptor kept from the handler. */
  onRefused: (delivery: Delivery, error: unknown) => void = (delivery) => delivery.handBack();
  /** When a delivery was settled last, or the first of the present ones taken; `performance.now()`. */
  lastProgressAt = performance.now();
  private deliveriesInHand = 0;
  private acks: AckCoalescer | undefined;
  private consuming: { channel: ConfirmChannel; consumerTag: string } | undefined;
  private onIdle: (() => void) | undefined;
  private onListening: ((error?: unknown) => void) | undefined;
  private readonly setupBackoff = new Backoff();
  private readonly log = new Logger('RabbitMQ');
  /** The base class reports connection events here; `openBrokerConnection` does so for both connections. */
  protected override readonly logger = {
    error: () => {},
    warn: () => {},
    log: () => {},
  } as unknown as Logger;

  constructor(
    private readonly settings: Settings,
    private readonly capacity: Capacity,
  ) {
    super({ urls: settings.RABBITMQ_URL, queue: settings.REQUEST_QUEUE, noAck: false });
  }

  /** Deliveries that are not settled yet. */
  get inHand(): number {
    return this.deliveriesInHand;
  }

  /** Calls back once the worker consumes, however long the broker takes to come up, or with what keeps it from starting. */
  override async listen(callback: (error?: unknown) => void): Promise<void> {
    this.onListening = callback;
    await super.listen((error) => error && callback(error));
    // Without a listener, a channel that cannot be opened would end the process.
    this.manager?.on('connect', () => {
      const wrapper = this.channel as ChannelWrapper | null;
      if (wrapper && wrapper.listenerCount('error') === 0)
        wrapper.on('error', (error: Error) =>
          this.log.error(`consume: cannot open a channel (${error.message})`),
        );
    });
  }

  override createClient<T>(): Promise<T> {
    return Promise.resolve(openBrokerConnection(this.settings, 'consume') as T);
  }

  /** Runs on every new connection. */
  override async setupChannel(channel: ConfirmChannel): Promise<void> {
    // No listener for 'error': unhandled, it takes the connection down, and the manager then renews both.
    this.quicken(channel);
    const acks = new AckCoalescer(channel);
    channel.on('close', () => {
      acks.close();
      if (this.acks === acks && this.state === 'consuming') this.state = 'connecting';
    });
    if (this.isStopping) return;
    try {
      const connection = this.manager?.connection;
      if (connection) await ensureTopology(connection, this.settings);
      await channel.prefetch(this.capacity.prefetch);
      if (this.isStopping) return;
      this.acks = acks;
      const consumerTag = `onnxmq ${hostname()}:${process.pid}`;
      await channel.consume(
        this.queue,
        (message) => (message ? this.accept(message, channel, acks) : this.onCancelled(acks)),
        { consumerTag },
      );
      this.consuming = { channel, consumerTag };
      if (this.isStopping) await this.cancelConsumer();
      else this.onConsuming();
    } catch (error) {
      if (!this.isStopping) this.onSetupFailed(error as Error, acks);
    }
  }

  /** Has the channel's frames written and read by onnxmq's own means, which need amqplib's internals. */
  protected quicken(channel: ConfirmChannel): void {
    void new ChannelWriter(channel);
    void new DeliveryReader(channel);
  }

  /** Not ready from here on: the broker sends nothing more. */
  async stopConsuming(): Promise<void> {
    if (this.isStopping) return;
    this.state = 'draining';
    await this.cancelConsumer();
  }

  /** Waits for the deliveries in hand, then gives back to the queue what took longer than `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    const canStillSettle = this.acks && !this.acks.isClosed;
    if (this.deliveriesInHand > 0 && canStillSettle)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    if (this.deliveriesInHand > 0 && canStillSettle)
      this.log.warn(
        `${this.deliveriesInHand} messages took longer than DRAIN_TIMEOUT_MS (${timeoutMs}): handed back`,
      );
    this.acks?.handBackAll();
  }

  override async close(): Promise<void> {
    await this.stopConsuming();
    this.acks?.handBackAll();
    this.state = 'closed';
    await closedInTime(super.close());
  }

  private get manager(): AmqpConnectionManager | null {
    return this.server as AmqpConnectionManager | null;
  }

  private get isStopping(): boolean {
    return this.state === 'draining' || this.state === 'closed';
  }

  private accept(message: ConsumeMessage, channel: ConfirmChannel, acks: AckCoalescer): void {
    if (this.deliveriesInHand++ === 0) this.lastProgressAt = turnNow();
    const delivery = new Delivery(message, acks, this);
    if (this.handler) this.handler(delivery);
    else void this.handOver(delivery, new RmqContext([message, channel, INFER_PATTERN]));
  }

  /** By way of Nest, which calls guards, pipes and interceptors before the handler. */
  private async handOver(delivery: Delivery, context: RmqContext): Promise<void> {
    const handler = this.messageHandlers.get(INFER_PATTERN);
    if (!handler) throw new Error(`no @MessagePattern('${INFER_PATTERN}') handler is registered`);
    try {
      const outcome: unknown = await handler(delivery, context);
      // Nest gives what a guard, pipe or interceptor threw as an observable that fails.
      if (isObservable(outcome)) outcome.subscribe({ error: (error) => this.onRefused(delivery, error) });
    } catch (error) {
      this.onRefused(delivery, error);
    }
  }

  /** A delivery has been settled; it says so itself. */
  onSettled(): void {
    this.lastProgressAt = turnNow();
    if (--this.deliveriesInHand === 0) this.onIdle?.();
  }

  private onConsuming(): void {
    if (this.isStopping) return;
    this.state = 'consuming';
    this.setupBackoff.reset();
    this.log.log(`consuming from '${this.queue}', at most ${this.capacity.prefetch} messages in hand`);
    this.onListening?.();
    this.onListening = undefined;
  }

  private onSetupFailed(error: Error, acks: AckCoalescer): void {
    if (this.onListening && error.name === 'StartupError') {
      this.onListening(error);
      return;
    }
    this.log.error(`cannot consume from '${this.queue}': ${error.message}`);
    // An error that has closed the channel has taken the connection down with it, and the manager renews both.
    const retry = () => !acks.isClosed && !this.isStopping && this.renewConnection('setting up failed');
    if (!acks.isClosed) setTimeout(retry, this.setupBackoff.next());
  }

  /** The queue was deleted, or its node went away. The connection stays open, so it must be renewed. */
  private onCancelled(acks: AckCoalescer): void {
    if (acks.isClosed || this.isStopping) return;
    this.state = 'connecting';
    acks.close();
    this.renewConnection(`the broker cancelled the consumer of '${this.queue}'`);
  }

  private async cancelConsumer(): Promise<void> {
    const { channel, consumerTag } = this.consuming ?? {};
    if (channel && consumerTag && !this.acks?.isClosed) await channel.cancel(consumerTag).catch(() => {}); // just gone
  }

  /**
   * Breaks the connection, upon which the manager makes a new one and runs the setup again. Its own
   * `reconnect()` takes its listeners off first, so that a socket that dies meanwhile would end the process.
   */
  private renewConnection(reason: string): void {
    const { stream } = (this.manager?.connection?.connection ?? {}) as { stream?: Duplex };
    stream?.destroy(new Error(reason));
  }
}
