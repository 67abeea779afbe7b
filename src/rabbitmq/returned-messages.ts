import type { Message } from 'amqplib';

/**
 * What the broker has returned on a channel because no queue took it. A return comes before the confirm of its message,
 * and carries nothing but the message to know it by.
 */
export class ReturnedMessages {
  private readonly counts = new Map<string, number>();

  add({ fields, properties }: Message): void {
    const key = keyOf(fields.routingKey, properties.messageId);
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  /** Whether a message that was confirmed had been returned. True as often as it was. */
  take(queue: string, messageId: string | undefined): boolean {
    if (this.counts.size === 0) return false;
    const key = keyOf(queue, messageId);
    const count = this.counts.get(key);
    if (count === undefined) return false;
    if (count > 1) this.counts.set(key, count - 1);
    else this.counts.delete(key);
    return true;
  }
}

/** As bytes: half a surrogate pair in an id has become U+FFFD on its way. */
function keyOf(queue: string, messageId: unknown): string {
  return Buffer.from(`${queue}\n${String(messageId)}`).toString();
}
