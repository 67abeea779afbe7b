import { Logger } from '@nestjs/common';

/** How often the log says that a queue still takes nothing. */
const REMIND_MS = 60_000;
/** What waits for room comes back within a minute: a queue that refuses nothing for longer is no longer asked. */
const FORGOTTEN_AFTER_MS = 150_000;

interface Refusing {
  readonly since: number;
  lastAt: number;
  saidAt: number;
}

/** The queues that take no letters now, because they are full or gone. Says so in the log, and to the probes. */
export class FullQueues {
  private readonly refusing = new Map<string, Refusing>();
  private readonly logger = new Logger('RabbitMQ');

  /** The names of these queues. */
  get names(): string[] {
    this.forget();
    return [...this.refusing.keys()];
  }

  /** @param reason why it has not taken a letter */
  refused(queue: string, reason: string): void {
    this.forget();
    const now = performance.now();
    const known = this.refusing.get(queue);
    if (!known) {
      this.refusing.set(queue, { since: now, lastAt: now, saidAt: now });
      const sentence = reason.endsWith('?') ? reason : `${reason}.`;
      this.logger.error(`${sentence} Requests that belong there wait in other queues meanwhile`);
      return;
    }
    known.lastAt = now;
    if (now - known.saidAt < REMIND_MS) return;
    known.saidAt = now;
    this.logger.warn(`'${queue}' has taken no messages for ${Math.round((now - known.since) / 1000)} s`);
  }

  taken(queue: string): void {
    if (this.refusing.delete(queue)) this.logger.log(`'${queue}' takes messages again`);
  }

  private forget(): void {
    const limit = performance.now() - FORGOTTEN_AFTER_MS;
    for (const [queue, { lastAt }] of this.refusing) {
      if (lastAt >= limit) continue;
      this.refusing.delete(queue);
      this.logger.log(`'${queue}' has refused nothing for ${FORGOTTEN_AFTER_MS / 1000} s`);
    }
  }
}
