import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { Ledger } from './ledger.js';
import { Link } from './link.js';

/** What is behind its time by more is not caught up with. */
const MAX_CATCH_UP_MS = 100;

/** A request to be published. */
export interface LoadRequest {
  readonly id: string;
  readonly image: number;
  readonly body: Buffer;
  readonly options?: Options.Publish;
  /** True where a dead letter is what it is to end as. */
  readonly isGuilty?: boolean;
}

export interface Pace {
  readonly ratePerS: number;
  /** Most requests published and without an outcome. */
  readonly maxInFlight: number;
}

/**
 * Publishes persistent, mandatory, confirmed requests at a bounded pace, through faults. Publishes nothing twice: what
 * was not confirmed before the connection was lost is an attempt, and may or may not be with the broker.
 */
export class LoadPublisher {
  private readonly link: Link;
  private channel: ConfirmChannel | undefined;
  private readonly inFlight = new Set<string>();
  private readonly unconfirmed = new Set<string>();
  private readonly returned = new Set<string>();
  private dueAt = 0;
  private isPaused = false;
  private isEnded = false;

  constructor(
    urls: readonly string[],
    private readonly queue: string,
    private readonly replyTo: string,
    private readonly pace: Pace,
    private readonly ledger: Ledger,
  ) {
    this.link = new Link(urls, (connection) => this.use(connection));
  }

  open(): Promise<void> {
    return this.link.open();
  }

  /** Resolves when all are published, or `end` was called, and each is confirmed, or never will be. */
  async publish(requests: Iterable<LoadRequest>): Promise<void> {
    for (const request of requests) {
      await this.turn();
      if (this.isEnded) break;
      this.send(request);
    }
    const published = [...this.unconfirmed];
    await this.ledger.changes.until(() => !published.some((id) => this.unconfirmed.has(id)));
  }

  /** Publishes nothing until `resume`. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.ledger.changes.poke();
  }

  /** Resolves when each request so far has its outcome, or will have none. */
  idle(): Promise<void> {
    return this.ledger.changes.until(
      () => this.unconfirmed.size === 0 && [...this.inFlight].every((id) => this.ledger.isSettled(id)),
    );
  }

  /** Publishes nothing more. */
  end(): void {
    this.isEnded = true;
    this.ledger.changes.poke();
  }

  async close(): Promise<void> {
    this.end();
    await this.link.close();
  }

  private async use(connection: ChannelModel): Promise<void> {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {}); // 'close' follows
    channel.on('return', ({ properties }) => this.returned.add(String(properties.messageId)));
    channel.on('close', () => {
      this.channel = undefined;
      for (const id of this.unconfirmed) this.inFlight.delete(id);
      this.unconfirmed.clear();
      this.ledger.changes.poke();
    });
    this.channel = channel;
    this.ledger.changes.poke();
  }

  /** Waits for the moment, for room, and for a connection. */
  private async turn(): Promise<void> {
    const now = performance.now();
    this.dueAt = Math.max(this.dueAt + 1000 / this.pace.ratePerS, now - MAX_CATCH_UP_MS);
    if (this.dueAt > now) await delay(this.dueAt - now);
    await this.ledger.changes.until(() => this.isEnded || this.hasRoom());
  }

  private hasRoom(): boolean {
    if (this.isPaused || !this.channel) return false;
    if (this.inFlight.size >= this.pace.maxInFlight)
      for (const id of this.inFlight) if (this.ledger.isSettled(id)) this.inFlight.delete(id);
    return this.inFlight.size < this.pace.maxInFlight;
  }

  private send({ id, image, body, options, isGuilty }: LoadRequest): void {
    this.ledger.attempted(id, image, isGuilty);
    if (!this.channel) return; // it has closed since `turn`, so that nobody would ever confirm this
    this.inFlight.add(id);
    this.unconfirmed.add(id);
    const properties = {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      correlationId: id,
      messageId: id,
      replyTo: this.replyTo,
      ...options,
    };
    try {
      this.channel.sendToQueue(this.queue, body, properties, (error) =>
        this.onConfirm(id, error as Error | null),
      );
    } catch {
      this.unconfirmed.delete(id); // the channel is closing
      this.inFlight.delete(id);
    }
  }

  /** A message that no queue took is confirmed as well, after it was returned. */
  private onConfirm(id: string, error: Error | null): void {
    this.unconfirmed.delete(id);
    const isReturned = this.returned.delete(id);
    if (error === null && !isReturned) this.ledger.acknowledged(id);
    else this.inFlight.delete(id);
    if (isReturned || error?.message === 'message nacked') this.ledger.refused();
    this.ledger.changes.poke();
  }
}
