import type { Channel } from 'amqplib';
import type { Delivery } from './delivery.js';

type InHand = Pick<Delivery, 'message' | 'receivedAt'>;

/**
 * Settles the deliveries of one channel. Acks of one turn of the event loop leave together: one `multiple` ack
 * for all below the oldest delivery still in hand, single ones beyond it. Settlements on a channel that is gone
 * are dropped: the broker has those messages again.
 */
export class AckCoalescer<Taken extends InHand = Delivery> {
  /** By tag, oldest first: a Map keeps the order of insertion. */
  private readonly inHand = new Map<number, Taken>();
  private newestTag = 0;
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
    return [...this.inHand.values(), ...this.toAck];
  }

  /** A delivery has come in. */
  take(delivery: Taken): void {
    const tag = delivery.message.fields.deliveryTag;
    this.inHand.set(tag, delivery);
    if (tag < this.newestTag) this.putNewerBehind(tag);
    else this.newestTag = tag;
  }

  /** amqplib hands over what was fetched singly a little late: after consumers' deliveries that came in behind it. */
  private putNewerBehind(tag: number): void {
    const newer = [...this.inHand].filter(([other]) => other > tag);
    for (const [other, delivery] of newer) {
      this.inHand.delete(other);
      this.inHand.set(other, delivery);
    }
  }

  ack(delivery: Taken): void {
    if (!this.isOpen) return;
    this.inHand.delete(delivery.message.fields.deliveryTag);
    if (this.toAck.push(delivery) === 1) setImmediate(() => this.flush());
  }

  /** Gives a message back to the queue. */
  nack(delivery: Taken): void {
    if (!this.isOpen) return;
    this.inHand.delete(delivery.message.fields.deliveryTag);
    this.send(() => this.channel.nack(delivery.message, false, true));
  }

  /** In hand since before that time, on the clock of `performance.now()`; oldest first. */
  receivedBefore(time: number): Taken[] {
    const found: Taken[] = [];
    if (!this.isOpen) return found;
    for (const delivery of this.inHand.values()) {
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
    if (this.inHand.size > 0) this.send(() => this.channel.nackAll(true));
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
    const oldestInHand = this.inHand.keys().next().value ?? Infinity;
    let last: Taken | undefined;
    let covered = 0;
    for (const delivery of acked) {
      const { deliveryTag } = delivery.message.fields;
      if (deliveryTag > oldestInHand) continue;
      covered++;
      if (!last || deliveryTag > last.message.fields.deliveryTag) last = delivery;
    }
    // The tag named must itself be outstanding, or the broker closes the channel (406): so one of these.
    if (last) this.sendAck(last, covered > 1);
    for (const delivery of acked)
      if (delivery.message.fields.deliveryTag > oldestInHand) this.sendAck(delivery, false);
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
