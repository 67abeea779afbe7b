import { Delivery } from './delivery.js';

/** Two hundred a second. */
const TURN_MS = 5;
/** Those of so many ms go together, which costs a fraction of what they cost one by one. */
const BURST_MS = 250;
/** Large messages go round more slowly: 4 MB a second. */
const BYTES_PER_MS = 4_000;

/** Lets deliveries go on one after the other, in bursts, at a pace that spares processor, network and disk. */
export class Pace {
  private nextAt = 0;

  /** Resolves when it is the delivery's turn. It rests until then. */
  async turn(delivery: Delivery): Promise<void> {
    const now = performance.now();
    const at = Math.max(now, this.nextAt);
    this.nextAt = at + Math.max(TURN_MS, delivery.message.content.length / BYTES_PER_MS);
    await delivery.rest(Math.ceil(at / BURST_MS) * BURST_MS - now);
  }
}
