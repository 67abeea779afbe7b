import type { Channel } from 'amqplib';
import type { Delivery } from './delivery.js';

/** A delivery, as a link in the chain of those in hand. */
export interface Link<Taken> extends Pick<Delivery, 'message' | 'receivedAt'> {
  older: Taken | undefined;
  newer: Taken | undefined;
}

/**
 * Settles the deliveries of one channel. Acks of one turn of the event loop leave together: one `multiple` ack
 * for all below the oldest delivery still in hand, single ones beyond it. Settlements on a channel that is gone
 * are dropped: the broker has those messages again.
 *
 * What is in hand is a chain through the deliveries themselves. In a Map, which gets old, each of them would live on
 * through a garbage collection or two: a third of what a message costs.
 */
export class AckCoalescer<Taken extends Link<Taken> = Delivery> {
  private oldest: Taken | undefined;
  private newest: Taken | undefined;
  private toAck: Taken[] = [];
  private isOpen = true;
  private isHolding = false;

  constructor(private readonly channel: Pick<Channel, 'ack' | 'nack' | 'nackAll'>) {}

  /** True once the broker has taken back what was not settled. */
  get isClosed(): boolean {
    return !this.isOpen;
  }

  /** What the broker has not been told the outcome of, or has again. */
  get unsettled(): Taken[] {
    return [...this.inHand(), ...this.toAck];
  }

  /** A delivery has come in. */
  take(delivery: Taken): void {
    // amqplib hands over what was fetched singly a little late: after consumers' deliveries that came in behind it.
    let older = this.newest;
    while (older && tagOf(older) > tagOf(delivery)) ({ older } = older);
    const newer = older ? older.newer : this.oldest;
    delivery.older = older;
    delivery.newer = newer;
    if (older) older.newer = delivery;
    else this.oldest = delivery;
    if (newer) newer.older = delivery;
    else this.newest = delivery;
  }

  ack(delivery: Taken): void {
    if (!this.isOpen) return;
    this.letGo(delivery);
    if (this.toAck.push(delivery) === 1) setImmediate(() => this.flush());
  }

  /** Gives a message back to the queue. */
  nack(delivery: Taken): void {
    if (!this.isOpen) return;
    this.letGo(delivery);
    this.send(() => this.channel.nack(delivery.message, false, true));
  }

  /** In hand since before that time, on the clock of `performance.now()`; oldest first. */
  receivedBefore(time: number): Taken[] {
    const found: Taken[] = [];
    if (!this.isOpen) return found;
    for (const delivery of this.inHand()) {
      if (delivery.receivedAt >= time) break;
      found.push(delivery);
    }
    return found;
  }

  /** Acks wait from here on. */
  hold(): void {
    this.isHolding = true;
  }

  /** Sends the acks that have waited. */
  release(): void {
    this.isHolding = false;
    this.flush();
  }

  /** Sends the acks that wait, gives everything else back to the queue, and takes no more. */
  handBackAll(): void {
    this.release();
    if (!this.isOpen) return;
    if (this.oldest) this.send(() => this.channel.nackAll(true));
    this.isOpen = false;
  }

  /** The channel is gone. */
  close(): void {
    this.isOpen = false;
  }

  flush(): void {
    if (!this.isOpen || this.isHolding || this.toAck.length === 0) return;
    const acked = this.toAck;
    this.toAck = [];
    const oldestInHand = this.oldest ? tagOf(this.oldest) : Infinity;
    let last: Taken | undefined;
    let covered = 0;
    for (const delivery of acked) {
      if (tagOf(delivery) > oldestInHand) continue;
      covered++;
      if (!last || tagOf(delivery) > tagOf(last)) last = delivery;
    }
    // The tag named must itself be outstanding, or the broker closes the channel (406): so one of these.
    if (last) this.sendAck(last, covered > 1);
    for (const delivery of acked) if (tagOf(delivery) > oldestInHand) this.sendAck(delivery, false);
  }

  /** Of the channel; oldest first. */
  private *inHand(): Generator<Taken> {
    for (let delivery = this.oldest; delivery; delivery = delivery.newer) yield delivery;
  }

  /** Takes it out of the chain. */
  private letGo(delivery: Taken): void {
    const { older, newer } = delivery;
    if (older) older.newer = newer;
    else this.oldest = newer;
    if (newer) newer.older = older;
    else this.newest = older;
    delivery.older = delivery.newer = undefined;
  }

  private sendAck({ message }: Taken, allUpTo: boolean): void {
    this.send(() => this.channel.ack(message, allUpTo));
  }

  /** A channel that is about to close refuses by an exception, before it says that it is closed. */
  private send(settlement: () => void): void {
    if (!this.isOpen) return;
    try {
      settlement();
    } catch {
      this.isOpen = false;
    }
  }
}

function tagOf({ message }: Pick<Delivery, 'message'>): number {
  return message.fields.deliveryTag;
}
