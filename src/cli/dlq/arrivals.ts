import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumeMessage } from 'amqplib';

/** What the broker has sent and nobody has taken yet. */
export class Arrivals {
  private readonly messages: ConsumeMessage[] = [];
  private wake: () => void = () => {};

  add(message: ConsumeMessage): void {
    this.messages.push(message);
    this.stir();
  }

  take(): ConsumeMessage | undefined {
    return this.messages.shift();
  }

  /** Has the one who waits look again. */
  stir(): void {
    this.wake();
  }

  /** Resolves with whether anything came, or stirred, within that time. */
  async stirred(timeoutMs: number): Promise<boolean> {
    const timer = new AbortController();
    const stirred = new Promise<boolean>((resolve) => {
      this.wake = () => resolve(true);
    });
    const idle = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
    return Promise.race([stirred, idle]).finally(() => timer.abort());
  }
}
