import { EventEmitter } from 'node:events';
import type { ConsumeMessage } from 'amqplib';
import { Settings } from '../../src/config/settings.js';
import { Capacity } from '../../src/models/capacity.js';
import { Activity } from '../../src/metrics/activity.js';
import { ConfirmedOutcomes } from '../../src/rabbitmq/confirmed-outcomes.js';
import { ConfirmedPublisher } from '../../src/rabbitmq/confirmed.publisher.js';
import { Letter } from '../../src/rabbitmq/outgoing.js';
import { WaitingForRoom } from '../../src/rabbitmq/waiting-for-room.js';
import { RabbitMqTransport } from '../../src/rabbitmq/rabbitmq.transport.js';
import { SettlingChannel } from './messages.js';

type Setup = (channel: object) => Promise<void>;

/** A broker's channel, which writes down what is asked of it in order. */
export class FakeChannel extends EventEmitter {
  readonly asked: string[] = [];
  readonly settling = new SettlingChannel();
  /** Sends a message, or `null` to say that the consumer is cancelled. */
  send: (message: ConsumeMessage | null) => void = () => {};
  refusal: Error | undefined;
  /** What waits in the queue to be fetched singly. */
  readonly waiting: ConsumeMessage[] = [];

  async prefetch(count: number): Promise<void> {
    this.asked.push(`prefetch ${count}`);
  }

  async get(queue: string): Promise<ConsumeMessage | false> {
    this.asked.push(`get ${queue}`);
    return this.waiting.shift() ?? false;
  }

  async consume(queue: string, onMessage: (message: ConsumeMessage | null) => void): Promise<void> {
    this.asked.push(`consume ${queue}`);
    if (this.refusal) throw this.refusal;
    this.send = onMessage;
  }

  async checkQueue(queue: string): Promise<void> {
    this.asked.push(`check ${queue}`);
  }

  async cancel(): Promise<void> {
    this.asked.push('cancel');
  }

  ack(message: ConsumeMessage, allUpTo?: boolean): void {
    this.settling.ack(message, allUpTo);
  }

  nack(message: ConsumeMessage, allUpTo?: boolean, requeue?: boolean): void {
    this.settling.nack(message, allUpTo, requeue);
  }

  nackAll(requeue?: boolean): void {
    this.settling.nackAll(requeue);
  }
}

/** A connection manager: runs the setup of its channel on each connection. */
export class FakeManager extends EventEmitter {
  readonly closed: string[] = [];
  /** How often its connection was broken to be renewed. */
  renewals = 0;
  readonly connection = { connection: { stream: { destroy: () => void this.renewals++ } } };
  private setup: Setup | undefined;

  createChannel({ setup }: { setup: Setup }): object {
    this.setup = setup;
    return Object.assign(new EventEmitter(), { close: async () => void this.closed.push('channel') });
  }

  async connect<C extends object = FakeChannel>(channel = new FakeChannel() as unknown as C): Promise<C> {
    this.emit('connect', {});
    await this.setup?.(channel);
    return channel;
  }

  async close(): Promise<void> {
    this.closed.push('connection');
  }
}

/** A publisher whose letters the test confirms, or refuses. */
export class FakePublisher {
  state: ConfirmedPublisher['state'] = 'open';
  readonly letters: (Letter & { confirm(): void; refuse(error: Error): void })[] = [];

  publish(letter: Letter): Promise<void> {
    return new Promise((confirm, refuse) => this.letters.push({ ...letter, confirm, refuse }));
  }
}

/** The transport, over channels that are fakes through and through. */
export class FakeTransport extends RabbitMqTransport {
  readonly fakeManager = new FakeManager();

  constructor(
    settings: Settings,
    capacity: Capacity,
    readonly publisher = new FakePublisher(),
  ) {
    const confirmed = publisher as unknown as ConfirmedPublisher;
    const waiting = new WaitingForRoom(settings, confirmed, new Activity(), new ConfirmedOutcomes(capacity));
    super(settings, capacity, confirmed, waiting);
  }

  override createClient<T>(): Promise<T> {
    return Promise.resolve(this.fakeManager as T);
  }

  /** There is nothing of amqplib in them to reach into. */
  protected override quicken(): void {}
}
