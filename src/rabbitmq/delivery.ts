import type { ConsumeMessage } from 'amqplib';
import { turnNow } from '../turn-clock.js';
import { AckCoalescer } from './ack.coalescer.js';

/**
 * One AMQP message in hand. Settles exactly once, on the channel that delivered it; a second settlement, or one
 * after that channel is gone, does nothing.
 */
export class Delivery {
  /** When it was received, on the clock of `performance.now()`. */
  readonly receivedAt = turnNow();
  private isSettled = false;

  constructor(
    readonly message: ConsumeMessage,
    private readonly acks: AckCoalescer,
    private readonly custody: { onSettled(): void },
  ) {
    acks.take(message.fields.deliveryTag);
  }

  /** This attempt included. */
  get attempts(): number {
    return 1 + this.count('x-attempts');
  }

  /** The earlier attempts that failed in an outage. */
  get excusedAttempts(): number {
    return this.count('x-attempts-excused');
  }

  /** True when the broker has the message again: whatever is done with it now is done twice. */
  get isStale(): boolean {
    return this.acks.isClosed;
  }

  /** The outcome is confirmed. */
  ack(): void {
    if (this.settle()) this.acks.ack(this.message.fields.deliveryTag);
  }

  /** Back to the queue, for another worker or another time. */
  handBack(): void {
    if (this.settle()) this.acks.nack(this.message.fields.deliveryTag);
  }

  /** Nothing to tell the broker: it has the message again. */
  drop(): void {
    this.settle();
  }

  private count(header: string): number {
    const count: unknown = this.message.properties.headers?.[header];
    return typeof count === 'number' ? count : 0;
  }

  private settle(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    this.custody.onSettled();
    return true;
  }
}
