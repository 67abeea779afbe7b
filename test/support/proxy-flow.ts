import { type Socket } from 'node:net';
import type { Slowness } from './tcp-proxy.js';

const GREETING_BYTES = 4096;

/** The bytes of a proxied connection that go one way. */
export class ProxyFlow {
  /** The first bytes, as text. */
  greeting = '';
  /** True while bytes are lost. */
  isSwallowing = false;
  private held: Buffer[] | undefined;
  private slowness: Slowness = {};
  /** When the line has taken the last bytes; `performance.now()`. */
  private lineFreeAt = 0;
  private lastArrival: Promise<void> = Promise.resolve();
  private onTheWay = 0;

  constructor(
    from: Socket,
    private readonly to: Socket,
  ) {
    from.setNoDelay(true);
    from.on('data', (chunk) => this.take(chunk));
    from.on('error', () => {}); // 'close' follows
  }

  get heldBytes(): number {
    return this.held?.reduce((sum, { length }) => sum + length, 0) ?? 0;
  }

  slow(slowness: Slowness): void {
    this.slowness = slowness;
  }

  hold(): void {
    this.held ??= [];
  }

  release(): void {
    const { held = [] } = this;
    this.held = undefined;
    for (const chunk of held) this.send(chunk);
  }

  private take(chunk: Buffer): void {
    if (this.greeting.length < GREETING_BYTES) this.greeting += chunk.toString('latin1');
    if (this.isSwallowing) return;
    if (this.held) this.held.push(chunk);
    else this.send(chunk);
  }

  /** Behind what is on the way, so that no byte overtakes another when the flow becomes fast again. */
  private send(chunk: Buffer): void {
    const { delayMs = 0, jitterMs = 0, bytesPerS = Infinity } = this.slowness;
    if (delayMs + jitterMs === 0 && bytesPerS === Infinity && this.onTheWay === 0) {
      this.to.write(chunk);
      return;
    }
    this.lineFreeAt = Math.max(performance.now(), this.lineFreeAt) + (chunk.length / bytesPerS) * 1000;
    const arrivesAt = this.lineFreeAt + delayMs + jitterMs * Math.random();
    this.onTheWay++;
    this.lastArrival = this.lastArrival.then(async () => {
      const early = arrivesAt - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      this.onTheWay--;
      this.to.write(chunk);
    });
  }
}
