import { Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { Activity } from '../metrics/activity.js';
import { ConfirmedOutcomes } from './confirmed-outcomes.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { PUT_ASIDE_HEADER } from './history.js';
import { Delivery } from './delivery.js';
import { forward } from './forward.js';
import { Pace } from './pace.js';
import { isToBeFiled, keptHeaders, retryDueIn } from './put-aside-headers.js';
import { retryProperties } from './retry.js';
import { deadLetterQueue, retryQueue } from './topology.js';

/** How long a request that waits to be filed stays in a retry queue, if there is one for that. */
const FILE_AGAIN_MS = 30_000;
/** A longer delay of a retry queue is nothing to wait for room in. */
const LONGEST_WAIT_MS = 60_000;
/** Copies that come back sooner are put aside again one after the other. */
const SHORT_WAIT_MS = 1_000;
/** How long a request stays in hand before each queue is asked again, where none has taken it. */
const NO_PLACE_MS = 5_000;

/**
 * Requests whose letter no queue takes: the dead-letter queue or the retry queue is full, or gone. A copy goes to a
 * retry queue that has room, else to the end of the request queue, and comes back from there: so the broker holds it, and
 * not this worker. Only what no queue takes at all stays in hand; it takes up no CONCURRENCY then.
 */
@Injectable()
export class WaitingForRoom {
  private readonly pace = new Pace();

  constructor(
    private readonly settings: Settings,
    private readonly publisher: ConfirmedPublisher,
    private readonly activity: Activity,
    private readonly outcomes: ConfirmedOutcomes,
  ) {}

  /**
   * Takes over a request that has its error answer, and is only to be filed.
   *
   * @param reason why it is dead, as headers
   */
  file(delivery: Delivery, reason: Record<string, unknown>): void {
    void this.wait(delivery, { ...reason, [PUT_ASIDE_HEADER]: 'dead-letter' });
  }

  /**
   * Takes over a request that is to be tried again after `delayMs`.
   *
   * @param headers of its next attempt
   */
  retry(delivery: Delivery, headers: Record<string, unknown>, delayMs: number): void {
    this.activity.retried();
    void this.wait(delivery, { ...headers, [PUT_ASIDE_HEADER]: Date.now() + delayMs });
  }

  /** A message has come. @returns whether it is a copy that still waits: it is not to be processed then */
  resume(delivery: Delivery): boolean {
    const { message } = delivery;
    const putAside: unknown = message.properties.headers?.[PUT_ASIDE_HEADER];
    if (putAside === undefined) return false;
    if (isToBeFiled(message)) void this.fileAgain(delivery);
    else if (retryDueIn(message, this.longestDelayMs) > 0)
      void this.wait(delivery, { ...keptHeaders(message), [PUT_ASIDE_HEADER]: putAside }, true);
    else return false;
    return true;
  }

  private get longestDelayMs(): number {
    return Math.max(0, ...this.settings.RETRY_DELAYS_MS);
  }

  private async fileAgain(delivery: Delivery): Promise<void> {
    if (await this.isFiled(delivery, {})) return;
    const headers = { ...keptHeaders(delivery.message), [PUT_ASIDE_HEADER]: 'dead-letter' };
    await this.wait(delivery, headers, true);
  }

  /** Never rejects. Ends with the delivery settled. */
  private async wait(
    delivery: Delivery,
    headers: Record<string, unknown>,
    isReturned = false,
  ): Promise<void> {
    delivery.isBegun = false; // its slot is another's: were the broker to take it back, nobody is at it
    const mayBeFiled = headers[PUT_ASIDE_HEADER] === 'dead-letter';
    while (!delivery.isStale) {
      if (await this.isPutAside(delivery, headers, isReturned)) return;
      await delivery.rest(NO_PLACE_MS);
      if (mayBeFiled && !delivery.isStale && (await this.isFiled(delivery, headers))) return;
    }
    delivery.drop();
  }

  private async isFiled(delivery: Delivery, reason: Record<string, unknown>): Promise<boolean> {
    const { [PUT_ASIDE_HEADER]: _, ...added } = reason;
    if (!(await this.isTaken(delivery, deadLetterQueue(this.settings), added))) return false;
    this.activity.deadLettered();
    delivery.ack();
    return true;
  }

  private async isPutAside(
    delivery: Delivery,
    headers: Record<string, unknown>,
    isReturned: boolean,
  ): Promise<boolean> {
    const at = headers[PUT_ASIDE_HEADER];
    const waitMs = typeof at === 'number' ? Math.max(1, at - Date.now()) : FILE_AGAIN_MS;
    for (const { queue, delayMs } of this.placesFor(waitMs)) {
      if (isReturned && delayMs < SHORT_WAIT_MS) await this.pace.turn(delivery);
      if (delivery.isStale) return false;
      if (!(await this.isTaken(delivery, queue, headers))) continue;
      if (!isReturned) this.outcomes.remember(delivery);
      delivery.ack();
      return true;
    }
    return false;
  }

  /**
   * The retry queues, that first from which it comes back next after so long; then the request queue. Classic queues
   * lose what expires while the request queue is full: there a copy goes to the request queue only.
   */
  private placesFor(waitMs: number): { readonly queue: string; readonly delayMs: number }[] {
    const { RETRY_DELAYS_MS, QUEUE_TYPE, REQUEST_QUEUE } = this.settings;
    const delays = QUEUE_TYPE === 'classic' ? [] : [...new Set(RETRY_DELAYS_MS)];
    const usable = delays.filter((delayMs) => delayMs <= Math.max(waitMs, LONGEST_WAIT_MS));
    const longer = usable.filter((delayMs) => delayMs >= waitMs).toSorted((one, other) => one - other);
    const shorter = usable.filter((delayMs) => delayMs < waitMs).toSorted((one, other) => other - one);
    return [
      ...[...longer, ...shorter].map((delayMs) => ({ queue: retryQueue(this.settings, delayMs), delayMs })),
      { queue: REQUEST_QUEUE, delayMs: 0 },
    ];
  }

  /** Whatever the reason is for which a queue does not take it, another one may. */
  private async isTaken(
    delivery: Delivery,
    queue: string,
    headers: Record<string, unknown>,
  ): Promise<boolean> {
    const least = { ...keptHeaders(delivery.message), ...headers };
    return forward(this.publisher, delivery, queue, retryProperties(delivery, headers), least).then(
      () => true,
      () => false,
    );
  }
}
