import { crc32 } from 'node:zlib';
import { Injectable } from '@nestjs/common';
import { Capacity } from '../models/capacity.js';
import { turnNow } from '../turn-clock.js';
import { Delivery } from './delivery.js';
import { fingerprint } from './fingerprint.js';

/** An ack that got lost comes to light soon, or the request is answered twice; until then an equal request is no other. */
const REMEMBERED_FOR_MS = 60_000;

/**
 * The outcomes that the broker has confirmed last. A request whose ack was lost comes again; where its outcome is
 * among these, an ack is all that it still needs. Requests are told apart by `message_id` and body, and by where and as what
 * they are answered: whoever sends one again may wait elsewhere. A dead letter that is moved back is another request than the one that
 * died, told apart by its first failure. Those without a `message_id` are not remembered, as two of them
 * may be equal.
 *
 * It is as large as the prefetch: of more messages no ack can be missing. On the way of a message it only writes, and
 * numbers, as ids that are kept would live through a garbage collection; what was written is put in order when the first
 * redelivered message asks.
 */
@Injectable()
export class ConfirmedOutcomes {
  private readonly ids: number[] = [];
  private readonly correlationIds: number[] = [];
  private readonly replyTos: unknown[] = [];
  private readonly firstFailures: number[] = [];
  private readonly attempts: number[] = [];
  private readonly checksums: number[] = [];
  private readonly confirmedAt: number[] = [];
  private next = 0;
  /** When the outcomes of a key were confirmed, oldest key first. */
  private readonly known = new Map<string, number[]>();

  constructor(private readonly capacity: Capacity) {}

  /** The broker has confirmed the outcome of this attempt, whatever it was. */
  remember(delivery: Delivery): void {
    const { messageId, correlationId, replyTo, headers } = delivery.message.properties;
    if (!messageId) return;
    this.ids[this.next] = fingerprint(messageId);
    this.correlationIds[this.next] = fingerprint(correlationId);
    this.replyTos[this.next] = replyTo;
    this.firstFailures[this.next] = fingerprint(headers?.['x-first-failed-at']);
    this.attempts[this.next] = delivery.attempts;
    this.checksums[this.next] = crc32(delivery.message.content);
    this.confirmedAt[this.next] = turnNow();
    if (++this.next >= this.capacity.prefetch) this.next = 0;
  }

  /** Whether this attempt of a request has its outcome already. True once for each outcome: a request is no other's copy. */
  has(delivery: Delivery): boolean {
    if (!delivery.isRedelivered) return false;
    const { content, properties } = delivery.message;
    const { messageId, correlationId, replyTo, headers } = properties;
    if (!messageId) return false;
    this.sort();
    const firstFailure = fingerprint(headers?.['x-first-failed-at']);
    const names = [fingerprint(messageId), fingerprint(correlationId), replyTo, firstFailure];
    const key = keyOf([...names, delivery.attempts, crc32(content)]);
    const times = this.known.get(key);
    const confirmedAt = times?.shift();
    if (times?.length === 0) this.known.delete(key);
    return confirmedAt !== undefined && turnNow() - confirmedAt < REMEMBERED_FOR_MS;
  }

  private sort(): void {
    for (const [index, id] of this.ids.entries()) {
      const names = [id, this.correlationIds[index], this.replyTos[index], this.firstFailures[index]];
      const key = keyOf([...names, this.attempts[index], this.checksums[index]]);
      const times = this.known.get(key);
      const confirmedAt = this.confirmedAt[index] as number;
      times?.unshift(confirmedAt);
      times?.splice(this.capacity.prefetch);
      if (!times) this.known.set(key, [confirmedAt]);
    }
    this.ids.length = this.correlationIds.length = this.replyTos.length = 0;
    this.firstFailures.length =
      this.attempts.length =
      this.checksums.length =
      this.confirmedAt.length =
      this.next =
        0;
    for (const key of this.known.keys()) {
      if (this.known.size <= this.capacity.prefetch) break;
      this.known.delete(key);
    }
  }
}

function keyOf(parts: readonly unknown[]): string {
  return JSON.stringify(parts);
}
