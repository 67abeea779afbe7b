import type { ConsumeMessage } from 'amqplib';
import { turnNow } from '../turn-clock.js';
import { AckCoalescer } from './ack.coalescer.js';
import { historyOf } from './history.js';
import { Suspicion, UNSUSPECTED } from './suspicion.js';

/** Who is told what became of a delivery. */
export interface DeliveryCustody {
  onSettled(delivery: Delivery): void;
  /** It went back to the queue, by this process's own will. Follows {@link onSettled}. */
  onHandedBack(delivery: Delivery): void;
  /** It begins or ends to wait for room in a queue, with nothing under way. */
  onResting(isResting: boolean): void;
}

/**
 * One AMQP message in hand. Settles exactly once, on the channel that delivered it; a second settlement, or one
 * after that channel is gone, does nothing.
 */
export class Delivery {
  /** When it was received, on the clock of `performance.now()`. */
  readonly receivedAt = turnNow();
  /** Those before and after it among what is in hand of its channel; they are the coalescer's. */
  older: Delivery | undefined;
  newer: Delivery | undefined;
  /** Somebody is at it, or was. */
  isBegun = false;
  isSettled = false;
  /** As `fields` have it, which are out of the processor's cache by the time that it is asked for. */
  readonly isRedelivered: boolean;
  private isHandedBack = false;
  /** While it rests. */
  private endRest: (() => void) | undefined;

  constructor(
    readonly message: ConsumeMessage,
    private readonly acks: AckCoalescer,
    private readonly custody: DeliveryCustody,
    /** What is held against it. */
    readonly suspicion: Suspicion = UNSUSPECTED,
  ) {
    this.isRedelivered = message.fields.redelivered;
    acks.take(this);
  }

  /** This attempt included. */
  get attempts(): number {
    return 1 + historyOf(this.message.properties.headers).attempts;
  }

  /** The earlier attempts that failed in an outage. */
  get excusedAttempts(): number {
    return historyOf(this.message.properties.headers).excusedAttempts;
  }

  /** The earlier attempts that came to a worker without the model. */
  get unknownModelAttempts(): number {
    return historyOf(this.message.properties.headers).unknownModelAttempts;
  }

  /** True when the broker has the message again: whatever is done with it now is done twice. */
  get isStale(): boolean {
    return this.isHandedBack || this.acks.isClosed;
  }

  /** The outcome is confirmed. */
  ack(): void {
    if (this.settle()) this.acks.ack(this);
  }

  /** Back to the queue, for another worker or another time. */
  handBack(): void {
    if (!this.settle()) return;
    this.isHandedBack = true;
    this.acks.nack(this);
    this.custody.onHandedBack(this);
  }

  /** Nothing to tell the broker: it has the message again. */
  drop(): void {
    this.settle();
  }

  /** Resolves after so many ms, or when it is settled. Until then it holds up neither what comes next nor the drain. */
  async rest(ms: number): Promise<void> {
    if (this.isSettled) return;
    this.custody.onResting(true);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.endRest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.stopResting();
  }

  private settle(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    if (this.endRest) this.stopResting();
    this.custody.onSettled(this);
    return true;
  }

  private stopResting(): void {
    const { endRest } = this;
    this.endRest = undefined;
    if (!endRest) return;
    endRest();
    this.custody.onResting(false);
  }
}
