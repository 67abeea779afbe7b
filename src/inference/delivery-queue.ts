import { Delivery } from '../rabbitmq/delivery.js';
import { Fifo } from './fifo.js';

type Taker = (delivery: Delivery) => void;

/**
 * Deliveries on their way to who takes them. It grows without limit; the prefetch is what limits it.
 *
 * A delivery that may have killed a worker waits until those before it are done, and is then in process with no more than
 * its suspicion allows. The most suspect are the last.
 */
export class DeliveryQueue {
  private readonly waiting = new Fifo<Delivery>();
  private suspects: Delivery[] = [];
  /** So many of those that wait came before the first of the suspects; the others come after these. */
  private ahead = 0;
  /** The last to ask is served first: what it needs is still in the processor's cache. */
  private readonly takers: Taker[] = [];
  private inProcess = 0;
  /** How many may be in process at once, as the suspects among them allow. */
  private company = Infinity;
  private isCareful = false;

  /** @returns whether it has to wait */
  push(delivery: Delivery): boolean {
    if (this.isCareful || delivery.suspicion.company < Infinity) {
      this.hold(delivery);
      return !delivery.isBegun;
    }
    const taker = this.takers.pop();
    if (taker) this.give(delivery, taker);
    else this.waiting.push(delivery);
    return !taker;
  }

  /** Takes out a delivery that waits. @returns whether it does */
  remove(delivery: Delivery): boolean {
    if (delivery.suspicion.company === Infinity) return this.waiting.remove(delivery);
    const at = this.suspects.indexOf(delivery);
    if (at >= 0) this.suspects.splice(at, 1);
    return at >= 0;
  }

  /** Takes out those that the broker has again. */
  removeStale(): Delivery[] {
    const { ahead } = this;
    let at = 0;
    const removed = this.waiting.extract(({ isStale }) => {
      if (at++ < ahead && isStale) this.ahead--;
      return isStale;
    });
    removed.push(...this.suspects.filter(({ isStale }) => isStale));
    this.suspects = this.suspects.filter(({ isStale }) => !isStale);
    if (this.isCareful) this.arrange();
    return removed;
  }

  /** The first asking of a taker; from then on it asks by {@link next}. */
  join(taker: Taker): void {
    this.inProcess++;
    this.next(taker);
  }

  /** What `taker` had is done. Gives it the oldest delivery that waits, or the next to come. */
  next(taker: Taker): void {
    this.inProcess--;
    const delivery = this.isCareful ? undefined : this.waiting.shift();
    if (delivery) this.give(delivery, taker);
    else this.takers.push(taker);
    if (this.isCareful) this.arrange();
  }

  /** A taker asks no more; what it has is nobody's business any longer. */
  leave(): void {
    this.inProcess--;
    if (this.isCareful) this.arrange();
  }

  private give(delivery: Delivery, taker: Taker): void {
    this.inProcess++;
    taker(delivery);
  }

  private hold(delivery: Delivery): void {
    this.isCareful = true;
    if (delivery.suspicion.company === Infinity) this.waiting.push(delivery);
    else {
      const { company } = delivery.suspicion;
      if (this.suspects.length === 0) this.ahead = this.waiting.length;
      const place = this.suspects.findIndex(({ suspicion }) => suspicion.company < company);
      this.suspects.splice(place < 0 ? this.suspects.length : place, 0, delivery);
    }
    this.arrange();
  }

  /** Gives what may begin now. */
  private arrange(): void {
    if (this.inProcess === 0) this.company = Infinity;
    while (this.takers.length > 0) {
      const delivery = this.nextAllowed();
      if (!delivery) break;
      this.give(delivery, this.takers.pop() as Taker);
    }
    this.isCareful = this.company < Infinity || this.suspects.length > 0;
  }

  private nextAllowed(): Delivery | undefined {
    const isAmongSuspects = this.company < Infinity;
    if (!isAmongSuspects && this.waiting.length > 0 && (this.suspects.length === 0 || this.ahead-- > 0))
      return this.waiting.shift();
    // One that has gone back meanwhile is not to be begun: nobody would count its crash.
    while (this.suspects[0]?.isStale) this.suspects.shift()?.drop();
    const [suspect] = this.suspects;
    if (!suspect) return undefined;
    const company = Math.min(this.company, suspect.suspicion.company);
    if (this.inProcess > 0 && (!isAmongSuspects || this.inProcess >= company)) return undefined;
    this.company = company;
    return this.suspects.shift();
  }
}
