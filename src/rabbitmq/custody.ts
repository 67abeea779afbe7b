import type { ConsumeMessage } from 'amqplib';
import { turnNow } from '../turn-clock.js';
import { AckCoalescer } from './ack.coalescer.js';
import { Delivery, DeliveryCustody } from './delivery.js';
import { isPutAside, isToBeFiled } from './put-aside-headers.js';
import { Survivors } from './survivors.js';
import { forgetFormerLife, isCopy } from './history.js';
import { SuspicionRule, UNSUSPECTED } from './suspicion.js';

/** All that the worker has in hand, of whatever channel, and what it knows of messages that come again. */
export class Custody implements DeliveryCustody {
  /** Deliveries that are not settled yet. */
  inHand = 0;
  /** Those among them that rest: they wait for room in a queue, and hold up nobody. */
  resting = 0;
  /** Those among them that are suspect. */
  suspects = 0;
  /** When a delivery was settled last, or the first of the present ones taken; `performance.now()`. */
  lastProgressAt = performance.now();
  /** Told what is settled while it is careful. */
  intake: { readonly isCareful: boolean; onSettled(delivery: Delivery): void; onIdle(): void } | undefined;
  private onIdle: (() => void)[] = [];
  private readonly lost = new Survivors();
  private readonly handedBack = new Survivors();
  private readonly suspicions: SuspicionRule;

  /**
   * @param deliveryLimit of the queue; undefined: it does not count deliveries, as classic queues do not
   * @param prefetch how many messages may be in hand while nothing is suspect
   */
  constructor(
    deliveryLimit: number | undefined,
    private readonly prefetch: () => number,
  ) {
    this.suspicions = new SuspicionRule(deliveryLimit, prefetch, this.lost, this.handedBack);
  }

  /** Deliveries that are worked on, or wait for that. */
  get busy(): number {
    return this.inHand - this.resting;
  }

  take(message: ConsumeMessage, acks: AckCoalescer): Delivery {
    const { fields, properties } = message;
    const { headers } = properties;
    const isCopied = isCopy(headers);
    if (headers && (isCopied || isPutAside(headers))) forgetFormerLife(headers);
    // What is only to be filed is not read, so it kills nobody.
    const mayKill = (fields.redelivered || isCopied) && !isToBeFiled(message);
    const suspicion = mayKill ? this.suspicions.of(message) : UNSUSPECTED;
    if (suspicion !== UNSUSPECTED) this.suspects++;
    if (this.inHand++ === 0) this.lastProgressAt = turnNow();
    return new Delivery(message, acks, this, suspicion);
  }

  onSettled(delivery: Delivery): void {
    this.lastProgressAt = turnNow();
    if (delivery.suspicion !== UNSUSPECTED) this.suspects--;
    this.inHand--;
    if (this.busy === 0) this.tellIdle();
    if (this.intake?.isCareful) this.intake.onSettled(delivery);
  }

  onResting(isResting: boolean): void {
    this.resting += isResting ? 1 : -1;
    if (!isResting || this.busy > 0) return;
    this.tellIdle();
    if (this.intake?.isCareful) this.intake.onIdle();
  }

  /** Before RabbitMQ 4.3 that counts as a crash does, of which this process cannot have died. */
  onHandedBack({ message }: Delivery): void {
    this.handedBack.remember([message]);
  }

  /** A channel by which messages came is gone: the broker has again what was not settled. */
  onChannelLost({ unsettled }: AckCoalescer): void {
    this.lost.remember(unsettled.map(({ message }) => message));
    // Of those that the broker may have sent, the others are settled; but their acks may not have arrived.
    this.lost.expectLostAcks(Math.max(0, this.prefetch() - unsettled.length));
  }

  /** Resolves when nothing is in hand but what rests, or after so many ms. */
  async idle(timeoutMs?: number): Promise<void> {
    if (this.busy === 0) return;
    await new Promise<void>((resolve) => {
      const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
      this.onIdle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private tellIdle(): void {
    for (const tell of this.onIdle.splice(0)) tell();
  }
}
