import { Logger } from '@nestjs/common';
import type { Channel, ConsumeMessage } from 'amqplib';
import { AckCoalescer } from './ack.coalescer.js';
import { Caution, HaltReason } from './caution.js';
import { Consumer } from './consumer.js';
import { Custody } from './custody.js';
import { Delivery } from './delivery.js';
import { UNSUSPECTED } from './suspicion.js';

/** Nothing in hand for so long, and no more suspects are expected. */
const QUIET_MS = 1_000;

/** Where messages come from, and how many of them may be in hand while nothing is suspect. */
export interface IntakeSource {
  readonly queue: string;
  /** The consumer's tag, as operators of the broker see it. */
  readonly name: string;
  prefetch(): number;
}

/** Who an intake takes messages for. */
export interface IntakeHost {
  handle(delivery: Delivery, channel: Channel): void;
  /** The consumer has begun, with at most `size` messages in hand. */
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
  /** A suspect is in hand with others, which are settled first. */
  private isIsolating = false;
  /** Suspects beyond what may be in hand. They go back once the consumer is cancelled, or they would come again at once. */
  private crowd: Delivery[] = [];
  private isStopped = false;
  private quiet: NodeJS.Timeout | undefined;
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
    if (!this.caution.isHalted && !(await this.takeOne())) this.caution.end();
    await this.follow();
  }

  /** Takes the message at the head of the queue, whatever else is in hand. @returns false when the queue is empty */
  async takeOne(): Promise<boolean> {
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
    if (this.consumer.hasBegun) this.custody.onChannelLost(this.acks);
    for (const delivery of this.crowd.splice(0)) delivery.drop();
  }

  /** True when it wants to be told what is settled. */
  get isCareful(): boolean {
    return this.isIsolating || this.custody.suspects > 0 || this.caution.company < Infinity;
  }

  onSettled({ suspicion }: Delivery): void {
    if (this.custody.suspects === 0 && this.caution.settled(suspicion))
      this.onLessSuspect('messages are less suspect');
    if (this.custody.inHand > 0) return;
    this.quiet = this.quiet?.refresh() ?? setTimeout(() => this.onQuiet(), QUIET_MS).unref();
    if (!this.isIsolating) return;
    this.isIsolating = false;
    this.followSoon();
  }

  private take(message: ConsumeMessage): void {
    const delivery = this.custody.take(message, this.acks);
    if (delivery.suspicion !== UNSUSPECTED) this.onSuspect(delivery);
    if (this.isCrowding(delivery)) this.crowd.push(delivery);
    else this.host.handle(delivery, this.channel);
  }

  private onSuspect({ suspicion }: Delivery): void {
    const { size } = this.consumer;
    const isLess = this.caution.meet(suspicion);
    if (size > 0 && Math.max(size, this.custody.suspects) <= suspicion.company) return;
    this.isIsolating = true;
    this.followSoon();
    if (isLess)
      this.log.log(
        `a message was in hand at ${suspicion.crashes} crashes of a worker: from now on at most ${this.size} messages in hand`,
      );
  }

  /**
   * A crash would count against all suspects in hand, begun or not. To go back counts as nothing since RabbitMQ 4.3,
   * which tells by a header; before that it counts as much as a crash.
   */
  private isCrowding({ suspicion, message }: Delivery): boolean {
    const isFree = message.properties.headers?.['x-acquired-count'] !== undefined;
    return this.custody.suspects > suspicion.company && isFree;
  }

  private get size(): number {
    return Math.min(this.caution.company, this.source.prefetch());
  }

  private onQuiet(): void {
    if (this.custody.inHand > 0 || this.caution.company === Infinity || this.acks.isClosed) return;
    this.caution.end();
    this.onLessSuspect('the queue is empty');
  }

  private onLessSuspect(reason: string): void {
    this.log.log(`${reason}: from now on at most ${this.size} messages in hand`);
    this.followSoon();
  }

  /** Brings the consumer in line with what may be taken. */
  async follow(): Promise<void> {
    const isPaused = this.isIsolating || this.caution.isHalted || this.isStopped;
    try {
      await this.consumer.resize(isPaused ? 0 : this.size);
    } catch (error) {
      return this.host.onFailed(error as Error, this);
    }
    for (const delivery of this.crowd.splice(0)) delivery.handBack();
    if (this.acks.isClosed) return;
    if (this.consumer.size > 0) this.host.onConsuming(this.consumer.size);
    else if (this.caution.isHalted) this.host.onHalted();
  }

  private followSoon(): void {
    void this.follow();
  }
}
