import { createHash } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';

const MAX_REMEMBERED = 20_000;
/** Of a longer body only its beginning is compared: with the ids and the length it tells enough. */
const COMPARED_BYTES = 64 * 1024;
/** Acks that were on their way when the channel was lost come back soon, or not at all. */
const LOST_ACKS_RETURN_MS = 60_000;

/**
 * Messages that went back to the queue while this process lived on. The broker counts that as it counts a crash, but a
 * process that lives cannot have been killed by them.
 *
 * None is forgotten when it is settled: by then the broker no longer counts it either.
 */
export class Survivors {
  private readonly timesByKey = new Map<string, number>();
  private lostAcks = 0;
  private lostAcksAt = -Infinity;

  /** These went back to the queue, all at once. */
  remember(messages: Iterable<ConsumeMessage>): void {
    for (const key of new Set(Array.from(messages, keyOf))) {
      const times = this.timesByKey.get(key) ?? 0;
      this.timesByKey.delete(key); // the least recent is the first to be forgotten
      this.timesByKey.set(key, times + 1);
    }
    for (const key of this.timesByKey.keys()) {
      if (this.timesByKey.size <= MAX_REMEMBERED) break;
      this.timesByKey.delete(key);
    }
  }

  /** So many settled messages at most may be back as well: their acks may not have arrived. */
  expectLostAcks(count: number): void {
    this.lostAcks = count;
    this.lostAcksAt = performance.now();
  }

  /** How often the message went back to the queue in this process's life. */
  timesSurvived(message: ConsumeMessage): number {
    const times = this.timesByKey.size > 0 ? this.timesByKey.get(keyOf(message)) : undefined;
    if (times !== undefined) return times;
    if (this.lostAcks === 0 || performance.now() - this.lostAcksAt > LOST_ACKS_RETURN_MS) return 0;
    this.lostAcks--;
    return 1;
  }
}

function keyOf({ content, properties }: ConsumeMessage): string {
  const ids = [properties.messageId, properties.correlationId, properties.replyTo] as unknown[];
  return createHash('sha1')
    .update(JSON.stringify([...ids, content.length]))
    .update(content.subarray(0, COMPARED_BYTES))
    .digest('base64');
}
