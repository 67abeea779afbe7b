import { Injectable } from '@nestjs/common';
import { Capacity } from '../models/capacity.js';
import { Delivery } from './delivery.js';

/**
 * The outcomes that the broker has confirmed last. A request whose ack was lost comes again; where its outcome is
 * among these, an ack is all that it still needs. Requests are told apart by `message_id`; those without one are not
 * remembered, as two of them may be equal.
 *
 * It is as large as the prefetch: of more messages no ack can be missing. On the way of a message it only writes; what
 * was written is put in order when the first redelivered message asks.
 */
@Injectable()
export class ConfirmedOutcomes {
  private readonly ids: string[] = [];
  private readonly attempts: number[] = [];
  private readonly bytes: number[] = [];
  private next = 0;
  /** How many outcomes of a key are known, oldest key first. */
  private readonly known = new Map<string, number>();

  constructor(private readonly capacity: Capacity) {}

  /** The broker has confirmed the outcome of this attempt, whatever it was. */
  remember(delivery: Delivery): void {
    const { messageId } = delivery.message.properties;
    if (!messageId) return;
    this.ids[this.next] = messageId as string;
    this.attempts[this.next] = delivery.attempts;
    this.bytes[this.next] = delivery.message.content.length;
    if (++this.next >= this.capacity.prefetch) this.next = 0;
  }

  /** Whether this attempt of a request has its outcome already. True once for each outcome: a request is no other's copy. */
  has(delivery: Delivery): boolean {
    const { messageId } = delivery.message.properties;
    if (!messageId || !delivery.message.fields.redelivered) return false;
    this.sort();
    const key = keyOf(messageId as string, delivery.attempts, delivery.message.content.length);
    const count = this.known.get(key);
    if (count === undefined) return false;
    if (count > 1) this.known.set(key, count - 1);
    else this.known.delete(key);
    return true;
  }

  private sort(): void {
    for (const [index, id] of this.ids.entries()) {
      const key = keyOf(id, this.attempts[index] as number, this.bytes[index] as number);
      this.known.set(key, (this.known.get(key) ?? 0) + 1);
    }
    this.ids.length = this.attempts.length = this.bytes.length = this.next = 0;
    for (const key of this.known.keys()) {
      if (this.known.size <= this.capacity.prefetch) break;
      this.known.delete(key);
    }
  }
}

function keyOf(messageId: string, attempts: number, bytes: number): string {
  return `${attempts} ${bytes} ${messageId}`;
}
