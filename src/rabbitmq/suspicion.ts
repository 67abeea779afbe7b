import type { ConsumeMessage } from 'amqplib';
import { historyOf } from './history.js';
import { Survivors } from './survivors.js';

/** What is held against a message that may have killed a worker. */
export interface Suspicion {
  /** Workers that ended with the message in hand, as far as is known here. */
  readonly crashes: number;
  /** How many messages may be in hand at once, this one included; Infinity for a message that is no suspect. */
  readonly company: number;
  /** It has had its chances: beginning it once more would only cost another crash. */
  readonly isConclusive: boolean;
}

export const UNSUSPECTED: Suspicion = { crashes: 0, company: Infinity, isConclusive: false };

/**
 * Judges messages that come again. After one crash all that was in hand is suspect, and is met again in cohorts of
 * the square root of it; after two, each alone. So whatever kills the worker is alone with it before it is given up,
 * and its neighbours have been settled.
 */
export class SuspicionRule {
  /**
   * Crashes that are enough: one below the limit from which the broker dead-letters without a reason, and before a
   * crash more could take innocents over it. At least 2, so that each message is once alone: with DELIVERY_LIMIT=1
   * that is never reached, and what crashes twice is dead-lettered by the broker.
   */
  private readonly conclusive: number;

  /**
   * @param deliveryLimit of the queue; undefined: it does not count deliveries
   * @param prefetch how many messages may be in hand while nothing is suspect
   * @param lost what this process had in hand when a channel was lost
   * @param handedBack what it gave back of its own will
   */
  constructor(
    private readonly deliveryLimit: number | undefined,
    private readonly prefetch: () => number,
    private readonly lost: Survivors,
    private readonly handedBack: Survivors,
  ) {
    this.conclusive = deliveryLimit === undefined ? Infinity : Math.max(2, deliveryLimit - 1);
  }

  /** The suspicion against a message that has come before: as it is, or as the copy that was put aside. */
  of(message: ConsumeMessage): Suspicion {
    const before = historyOf(message.properties.headers).crashes;
    if (!message.fields.redelivered) return this.judge(0, before);
    const { returns, isCountedApart } = this.countsOf(message);
    const survived =
      this.lost.timesSurvived(message) + (isCountedApart ? 0 : this.handedBack.timesSurvived(message));
    if (returns !== undefined) return this.judge(returns, before + Math.max(0, returns - survived));
    if (survived > 0 || isCountedApart) return this.judge(0, before);
    // A classic queue says that it came before, not how often: it can be kept from others, but not be given up.
    return { crashes: before + 1, company: 1, isConclusive: false };
  }

  /** What the queue has counted; a queue that does not count leaves such headers as the producer wrote them. */
  private countsOf({ properties }: ConsumeMessage): { returns?: number; isCountedApart: boolean } {
    const headers = this.deliveryLimit === undefined ? undefined : properties.headers;
    const returns: unknown = headers?.['x-delivery-count'];
    const acquired: unknown = headers?.['x-acquired-count'];
    // RabbitMQ 4.3 counts what was handed back only as taken before.
    const isCountedApart = acquired !== undefined;
    // What a message was returned more often than it was taken, it was in another queue: RabbitMQ 4.3 leaves the count of a
    // dead letter that is moved until it has one of its own.
    const isOfOtherQueue = typeof acquired === 'number' && (returns as number) > acquired;
    return { returns: typeof returns === 'number' && !isOfOtherQueue ? returns : undefined, isCountedApart };
  }

  private judge(returns: number, crashes: number): Suspicion {
    const isConclusive = crashes >= this.conclusive;
    if (crashes === 0) return returns < this.conclusive ? UNSUSPECTED : { crashes, company: 1, isConclusive };
    // Where one return more would be conclusive, no neighbour's crash must be the cause of it.
    const isAlone = crashes > 1 || Math.max(crashes, returns) + 1 >= this.conclusive;
    return { crashes, company: isAlone ? 1 : Math.ceil(Math.sqrt(this.prefetch())), isConclusive };
  }
}
