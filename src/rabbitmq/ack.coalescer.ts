import type { Channel, ConsumeMessage } from 'amqplib';

/**
 * Settles the deliveries of one channel. Acks of one turn of the event loop leave together: one `multiple` ack
 * for all below the oldest delivery still in hand, single ones beyond it. Settlements on a channel that is gone
 * are dropped: the broker has those messages again.
 */
export class AckCoalescer {
  /** Tags in hand, oldest first: a Set keeps the order of insertion, and tags only grow. */
  private readonly inHand = new Set<number>();
  private toAck: number[] = [];
  private isOpen = true;

  constructor(private readonly channel: Pick<Channel, 'ack' | 'nack' | 'nackAll'>) {}

  /** True once the broker has taken back what was not settled. */
  get isClosed(): boolean {
    return !this.isOpen;
  }

  /** A delivery has come in. */
  take(tag: number): void {
    this.inHand.add(tag);
  }

  ack(tag: number): void {
    if (!this.isOpen) return;
    this.inHand.delete(tag);
    if (this.toAck.push(tag) === 1) setImmediate(() => this.flush());
  }

  /** Gives a message back to the queue. */
  nack(tag: number): void {
    if (!this.isOpen) return;
    this.inHand.delete(tag);
    this.send(() => this.channel.nack(tagged(tag), false, true));
  }

  /** Sends the acks that wait, gives everything else back to the queue, and takes no more. */
  handBackAll(): void {
    this.flush();
    if (!this.isOpen) return;
    if (this.inHand.size > 0) this.send(() => this.channel.nackAll(true));
    this.isOpen = false;
  }

  /** The channel is gone. */
  close(): void {
    this.isOpen = false;
  }

  flush(): void {
    const tags = this.toAck;
    this.toAck = [];
    if (!this.isOpen || tags.length === 0) return;
    const oldestInHand = this.inHand.values().next().value ?? Infinity;
    const prefix = tags.filter((tag) => tag < oldestInHand);
    // The tag named must itself be outstanding, or the broker closes the channel (406): so one of these.
    if (prefix.length > 0) this.send(() => this.channel.ack(tagged(Math.max(...prefix)), prefix.length > 1));
    for (const tag of tags) if (tag > oldestInHand) this.send(() => this.channel.ack(tagged(tag), false));
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

/** amqplib reads nothing else of the message. */
function tagged(deliveryTag: number): ConsumeMessage {
  return { fields: { deliveryTag } } as ConsumeMessage;
}
