import { hostname } from 'node:os';
import { Injectable, Logger } from '@nestjs/common';
import { ServerRMQ } from '@nestjs/microservices';
import type { AmqpConnectionManager, ChannelWrapper } from 'amqp-connection-manager';
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import { Settings } from '../config/settings.js';
import { Capacity } from '../models/capacity.js';
import { INFER_PATTERN } from '../protocol/request.decoder.js';
import { Backoff } from './backoff.js';
import { vhostOf } from './broker-url.js';
import { closeInTime, openBrokerConnection, renewConnection } from './broker.connection.js';
import { Caution } from './caution.js';
import { ChannelWriter } from './channel.writer.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { Custody } from './custody.js';
import { Delivery } from './delivery.js';
import { DeliveryReader } from './delivery.reader.js';
import { Intake, IntakeHost } from './intake.js';
import { callNestHandler } from './nest-handler.js';
import { Overdue } from './overdue.js';
import { Pause } from './pause.js';
import { putAside } from './put-aside.js';
import { isProbe } from './round-trip.js';
import { ensureTopology } from './topology.js';
import { WaitingForRoom } from './waiting-for-room.js';

/** With which RabbitMQ closes the channel where the queue has a single active consumer; the text differs by version. */
const GET_REFUSED = /BasicGet; 405 /;

/** `connecting`: not consuming now, on the way to it; `paused`: on purpose; the others are what they say. */
export type TransportState = 'connecting' | 'consuming' | 'paused' | 'draining' | 'closed';

/**
 * Nest's RabbitMQ transport with custody: takes deliveries, hands each to the `@MessagePattern('infer')`
 * handler, and knows nothing of what is in them.
 *
 * What of `ServerRMQ` is kept: handler registration, `listen`, the connection manager's life and its status. What is
 * its own: raw bodies, no ack before the outcome, a cancelled consumer that comes back, and a close that drains.
 */
@Injectable()
export class RabbitMqTransport extends ServerRMQ implements IntakeHost {
  state: TransportState = 'connecting';
  /** Takes each delivery. Nest's own handler of the pattern, unless somebody knows a shorter way to it. */
  handler: ((delivery: Delivery) => void) | undefined;
  /** Takes the deliveries that a guard, pipe or interceptor kept from the handler. */
  onRefused: (delivery: Delivery, error: unknown) => void = (delivery) => delivery.handBack();
  /** Told what was handed back while somebody may still be working on it. */
  onAbandoned: (delivery: Delivery) => void = () => {};
  /** Told when the broker has again what was in hand of a channel. */
  onChannelLost: () => void = () => {};
  readonly pause: Pause;
  private readonly custody: Custody;
  private readonly caution = new Caution();
  private readonly overdue: Overdue;
  private intake: Intake | undefined;
  /** Until the broker has said that the queue allows no `basic.get`. */
  private canGet = true;
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
    private readonly confirmed: ConfirmedPublisher,
    private readonly waiting: WaitingForRoom,
  ) {
    super({ urls: settings.RABBITMQ_URL, queue: settings.REQUEST_QUEUE, noAck: false });
    this.custody = new Custody(
      settings.QUEUE_TYPE === 'quorum' ? settings.DELIVERY_LIMIT : undefined,
      () => capacity.prefetch,
    );
    this.pause = new Pause(this.caution, this.custody, () => (this.isStopping ? undefined : this.intake));
    const { longestIoWaitMs } = capacity;
    this.overdue = new Overdue(settings.CONSUMER_TIMEOUT_MS, longestIoWaitMs, confirmed, (delivery) =>
      this.onAbandoned(delivery),
    );
  }

  /** Deliveries that are not settled yet. */
  get inHand(): number {
    return this.custody.inHand;
  }

  /** Those among them that no queue has room for. */
  get resting(): number {
    return this.custody.resting;
  }

  /** When a delivery was settled last, or the first of the present ones taken; `performance.now()`. */
  get lastProgressAt(): number {
    return this.custody.lastProgressAt;
  }

  /** Calls back once the worker consumes, however long the broker takes to come up, or with what keeps it from starting. */
  override async listen(callback: (error?: unknown) => void): Promise<void> {
    this.onListening = callback;
    this.overdue.start(() => this.intake);
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
    const name = `onnxmq ${hostname()}:${process.pid}`;
    const { canGet } = this;
    const source = { queue: this.queue, name, canGet, prefetch: () => this.capacity.prefetch };
    const intake = new Intake(channel, source, this.caution, this.custody, this);
    channel.on('close', () => this.onClosed(intake));
    if (this.isStopping) return;
    try {
      const connection = this.manager?.connection;
      if (connection) await this.ensureTopology(connection);
      if (this.isStopping) return;
      this.intake = intake;
      await intake.open();
    } catch (error) {
      this.onFailed(error as Error, intake);
    }
  }

  private async ensureTopology(connection: ChannelModel): Promise<void> {
    const isStarting = this.onListening !== undefined;
    const unverified = await ensureTopology(connection, this.settings, isStarting);
    if (!isStarting || unverified.length === 0) return;
    const vhost = vhostOf(this.settings.RABBITMQ_URL[0] ?? '');
    this.log.warn(
      `cannot verify ${unverified.join('; ')}. Compare what \`rabbitmqctl list_queues -p '${vhost}' name arguments policy\` ` +
        `and \`rabbitmqctl list_policies -p '${vhost}'\` show with what \`onnxmq topology\` prints`,
    );
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
    await this.intake?.stop();
  }

  /** Waits for the deliveries in hand, then gives back to the queue what took longer than `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    const { acks } = this.intake ?? {};
    const canStillSettle = acks && !acks.isClosed;
    if (canStillSettle) await this.custody.idle(timeoutMs);
    const { busy, resting } = this.custody;
    if (canStillSettle && busy > 0)
      this.log.warn(`${busy} messages took longer than DRAIN_TIMEOUT_MS (${timeoutMs}): handed back`);
    if (canStillSettle && resting > 0)
      this.log.warn(`${resting} messages still waited for room in a queue: handed back`);
    acks?.handBackAll();
  }

  override async close(): Promise<void> {
    await this.stopConsuming();
    this.intake?.acks.handBackAll();
    this.overdue.stop();
    this.state = 'closed';
    await closeInTime(this.manager, () => super.close());
  }

  private get manager(): AmqpConnectionManager | null {
    return this.server as AmqpConnectionManager | null;
  }

  private get isStopping(): boolean {
    return this.state === 'draining' || this.state === 'closed';
  }

  /** What an intake has taken. */
  handle(delivery: Delivery, channel: Channel): void {
    if (isProbe(delivery.message)) delivery.ack();
    else if (this.waiting.resume(delivery)) this.pause.passOver();
    else if (this.handler) this.handler(delivery);
    else
      void callNestHandler(this.messageHandlers.get(INFER_PATTERN), delivery, channel, (...refused) =>
        this.onRefused(...refused),
      );
  }

  /** What cannot be copied is taken nevertheless: then it waits here until it may begin. */
  async putAside(delivery: Delivery, channel: Channel): Promise<void> {
    if (await putAside(delivery, this.queue, this.confirmed)) delivery.drop();
    else this.handle(delivery, channel);
  }

  /** Messages are taken, at most `size` of them in hand. */
  onConsuming(size: number): void {
    if (this.isStopping || this.state === 'consuming') return;
    this.state = 'consuming';
    this.setupBackoff.reset();
    this.log.log(`consuming from '${this.queue}', at most ${size} messages in hand`);
    this.onListening?.();
    this.onListening = undefined;
  }

  onHalted(): void {
    if (this.state !== 'consuming' && this.state !== 'connecting') return;
    this.state = 'paused';
    this.log.log(`paused: nothing more is taken from '${this.queue}'`);
  }

  /** An intake could not be opened, or its consumer not be changed. */
  onFailed(error: Error, { acks }: Intake): void {
    if (this.isStopping) return;
    if (this.onListening && error.name === 'StartupError') {
      this.onListening(error);
      return;
    }
    if (this.canGet && GET_REFUSED.test(error.message)) {
      this.canGet = false;
      this.log.log(
        `'${this.queue}' allows no basic.get (single active consumer?): connecting again to consume only`,
      );
      return;
    }
    this.log.error(`cannot consume from '${this.queue}': ${error.message}`);
    // An error that has closed the channel has taken the connection down with it, and the manager renews both.
    const retry = () =>
      !acks.isClosed && !this.isStopping && renewConnection(this.manager, 'setting up failed');
    if (!acks.isClosed) setTimeout(retry, this.setupBackoff.next());
  }

  private onClosed(intake: Intake): void {
    intake.close();
    this.overdue.onChannelLost(intake.acks.unsettled);
    this.onChannelLost();
    if (this.intake === intake && !this.isStopping) this.state = 'connecting';
  }

  /** The queue was deleted, or its node went away. The connection stays open, so it must be renewed. */
  onCancelled({ acks }: Intake): void {
    if (acks.isClosed || this.isStopping) return;
    this.state = 'connecting';
    acks.close();
    renewConnection(this.manager, `the broker cancelled the consumer of '${this.queue}'`);
  }
}
