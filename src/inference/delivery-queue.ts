import { Delivery } from '../rabbitmq/delivery.js';
import { Fifo } from './fifo.js';

type Taker = (delivery: Delivery) => void;

/** Deliveries on their way to who takes them. It grows without limit; the prefetch is what limits it. */
export class DeliveryQueue {
  private readonly waiting = new Fifo<Delivery>();
  /** The last to ask is served first: what it needs is still in the processor's cache. */
  private readonly takers: Taker[] = [];

  /** @returns whether it has to wait */
  push(delivery: Delivery): boolean {
    const taker = this.takers.pop();
    if (taker) taker(delivery);
    else this.waiting.push(delivery);
    return !taker;
  }

  /** Takes out a delivery that waits. @returns whether it does */
  remove(delivery: Delivery): boolean {
    return this.waiting.remove(delivery);
  }

  /** Gives `taker` the oldest delivery that waits, or the next to come. */
  next(taker: Taker): void {
    const delivery = this.waiting.shift();
    if (delivery) taker(delivery);
    else this.takers.push(taker);
  }
}
