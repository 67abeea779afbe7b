import { Logger } from '@nestjs/common';
import type { Channel, ConsumeMessage } from 'amqplib';
import { AckCoalescer } from './ack.coalescer.js';
import { inTime } from './broker.connection.js';
import { Caution, HaltReason } from './caution.js';
import { Consumer } from './consumer.js';
import { Custody } from './custody.js';
import { Delivery } from './delivery.js';
import { UNSUSPECTED } from './suspicion.js';

/** How long suspects that stay in hand wait for the others to be gone. */
const LEAVING_PATIENCE_MS = 5_000;
/** A queue that has a message gives it to a new consumer sooner. */
const FIRST_MESSAGE_MS = 1_000;

/** Where messages come from, and how many of them may be in hand while nothing is suspect. */
export interface IntakeSource {
  readonly queue: string;
  /** The consumer's tag, as operators of the broker see it. */
  readonly name: string;
  /** False for a quorum queue with a single active consumer: RabbitMQ closes the channel upon `basic.get` there. */
  readonly canGet: boolean;
  prefetch(): number;
}

/** Who an intake takes messages for. */
export interface IntakeHost {
  handle(delivery: Delivery, channel: Channel): void;
  /** A suspect that must not be in hand with others, and must not go back as it is. Resolves when it is gone. */
  putAside(delivery: Delivery, channel: Channel): Promise<void>;
  /** Messages are taken, at most `size` of them in hand. */
  onConsuming(size: number): void;
  /** Nothing more is taken for now. */
  onHalted(): void;
  /** The broker has cancelled the consumer. */
  onCancelled(intake: Intake): void;
  onFailed(error: Error, intake: Intake): void;
}

/** What comes in on one channel, and how much of it at a time: less when a message may have killed a worker. */
export class Intake {
  readonly acks: AckCoalescer;
  private readonly consumer: Consumer;
  /** Messages are being fetched singly. */
  private isFetching = false;
  /** Suspects of which some must go, and none may begin before: a crash would count against all that are in hand. */
  private crowd: Delivery[] = [];
  private isStopped = false;
  private hasTaken = false;
  /** Told the next message that comes. */
  private onNext: (() => void) | undefined;
  private readonly log = new Logger('RabbitMQ');

  constructor(
    private readonly channel: Channel,
    private readonly source: IntakeSource,
    private readonly caution: Caution,
    private readonly custody: Custody,
    private readonly host: IntakeHost,
  ) {
    this.acks = new AckCoalescer(channel);
    this.consumer = new Consumer(channel, this.acks, source, (message) => {
      if (message) this.take(message);
      else this.host.onCancelled(this);
    });
  }

  /**
   * Begins with one message: what has gone back to the queue by a crash is at its head. If that is a suspect, it is
   * settled before anything else is taken.
   */
  async open(): Promise<void> {
    this.custody.intake = this;
    if (this.source.canGet && !this.caution.isHalted && !(await this.takeOne())) this.caution.end();
    await this.follow();
  }

  /** Takes the message at the head of the queue, whatever else is in hand. @returns false when the queue is empty */
  async takeOne(): Promise<boolean> {
    if (!this.source.canGet) return this.consumeOne();
    const head = await this.channel.get(this.source.queue);
    if (head) this.take(head as unknown as ConsumeMessage);
    return head !== false;
  }

  /** Takes nothing more, for good. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.follow();
  }

  /** Takes nothing more until no reason is left. */
  halt(reason: HaltReason, isHalted: boolean): void {
    if (this.caution.halt(reason, isHalted)) this.followSoon();
  }

  /** The channel is gone. */
  close(): void {
    this.acks.close();
    if (this.hasTaken) this.custody.onChannelLost(this.acks);
    for (const delivery of this.crowd.splice(0)) delivery.drop();
  }

  /** True when it wants to be told what is settled. */
  get isCareful(): boolean {
    return this.custody.suspects > 0 || this.caution.company < Infinity;
  }

  onSettled({ suspicion }: Delivery): void {
    if (this.custody.suspects === 0 && this.caution.settled(suspicion))
      this.onLessSuspect('messages are less suspect');
    else if (this.custody.busy === 0) this.onIdle();
  }

  /** Nothing is in hand but what rests. */
  onIdle(): void {
    void (this.source.canGet ? this.fetch() : this.follow());
  }

  /** @returns false when none comes: the queue is empty, or another consumer is the active one */
  private async consumeOne(): Promise<boolean> {
    let isTaken = false;
    const next = new Promise<void>((resolve) => (this.onNext = resolve)).then(() => (isTaken = true));
    await this.consumer.resize(1);
    await inTime(next, FIRST_MESSAGE_MS);
    this.onNext = undefined;
    await this.consumer.resize(0);
    await this.thinOut();
    return isTaken;
  }

  private take(message: ConsumeMessage): void {
    const isFirst = !this.hasTaken;
    this.hasTaken = true;
    const delivery = this.custody.take(message, this.acks);
    const isSuspect = delivery.suspicion !== UNSUSPECTED;
    this.onNext?.();
    if (isFirst && !this.source.canGet && !isSuspect) this.followSoon();
    if (isSuspect) this.onSuspect(delivery);
    if (isSuspect && this.isCrowd(delivery)) this.crowd.push(delivery);
    else this.host.handle(delivery, this.channel);
  }

  private onSuspect({ suspicion }: Delivery): void {
    if (!this.caution.meet(suspicion)) return;
    this.log.log(
      `a message was in hand at ${suspicion.crashes} crashes of a worker: from now on at most ${this.size} messages in hand`,
    );
    this.followSoon();
  }

  /** As long as a consumer is there, more may come: whether it is one too many is seen when it is cancelled. */
  private isCrowd({ suspicion }: Delivery): boolean {
    const { size } = this.consumer;
    const mayComeMore = this.source.canGet ? size > 0 : size > suspicion.company;
    return mayComeMore || this.custody.suspects > suspicion.company;
  }

  /** How many messages the consumer may hold now. */
  private get wanted(): number {
    if (this.caution.isHalted || this.isStopped) return 0;
    const isCautious = this.caution.company < Infinity;
    if (this.source.canGet) return isCautious ? 0 : this.size;
    if (!this.hasTaken) return 1;
    // What was delivered to an earlier consumer does not count against this one.
    const isAlone = this.consumer.size === this.size || this.custody.busy === 0;
    return isCautious && !isAlone ? 0 : this.size;
  }

  private get size(): number {
    return Math.min(this.caution.company, this.source.prefetch());
  }

  private onLessSuspect(reason: string): void {
    this.log.log(`${reason}: from now on at most ${this.size} messages in hand`);
    this.followSoon();
  }

  /** Brings what is taken in line with what may be. */
  async follow(): Promise<void> {
    try {
      await this.consumer.resize(this.wanted);
    } catch (error) {
      return this.host.onFailed(error as Error, this);
    }
    await this.thinOut();
    if (this.acks.isClosed) return;
    if (this.caution.isHalted) this.host.onHalted();
    else if (!this.isStopped) this.host.onConsuming(this.size);
    await this.fetch();
  }

  /**
   * While suspects are about, messages are fetched one by one and once nothing else is in hand: a consumer would be
   * given more as soon as there is room, whatever they are. Where nothing can be fetched, a consumer that may hold no
   * more than the suspects allow takes them.
   */
  private async fetch(): Promise<void> {
    if (this.isFetching) return;
    this.isFetching = true;
    try {
      while (this.mayFetch && this.custody.busy === 0) await this.fetchCompany();
    } catch (error) {
      this.host.onFailed(error as Error, this);
    } finally {
      this.isFetching = false;
    }
  }

  /** As many as may be in hand together; fewer when one of them is more suspect. */
  private async fetchCompany(): Promise<void> {
    for (let taken = 0; this.mayFetch && taken < this.size; taken++) {
      if (await this.takeOne()) continue;
      if (this.custody.suspects > 0) return; // once they are settled, it is looked again
      this.caution.end();
      this.onLessSuspect('the queue is empty');
    }
  }

  private get mayFetch(): boolean {
    const { company, isHalted } = this.caution;
    const isOpen = !isHalted && !this.isStopped && !this.acks.isClosed;
    const hasPlace = this.custody.inHand < this.source.prefetch();
    return this.source.canGet && company < Infinity && isOpen && hasPlace && this.consumer.size === 0;
  }

  /**
   * Of the suspects that have come in, the most suspect stay, as many as may be in hand together: they have been sent
   * away often enough. They begin when the others are gone.
   */
  private async thinOut(): Promise<void> {
    if (this.crowd.length === 0) return;
    const crowd = this.crowd
      .splice(0)
      .toSorted((one, other) => one.suspicion.company - other.suspicion.company);
    const places = Math.max(0, this.caution.company - (this.custody.suspects - crowd.length));
    const leaving = crowd.slice(places).map((delivery) => this.sendAway(delivery));
    await inTime(Promise.all(leaving), LEAVING_PATIENCE_MS); // their copies may find no room
    for (const delivery of crowd.slice(0, places)) this.host.handle(delivery, this.channel);
  }

  /**
   * To go back counts as nothing since RabbitMQ 4.3, which tells by a header; before that it counts as much as a
   * crash, and a copy goes instead.
   */
  private async sendAway(delivery: Delivery): Promise<void> {
    const isFree = delivery.message.properties.headers?.['x-acquired-count'] !== undefined;
    if (isFree) delivery.handBack();
    else await this.host.putAside(delivery, this.channel);
  }

  private followSoon(): void {
    void this.follow();
  }
}
