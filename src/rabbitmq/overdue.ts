import { Logger } from '@nestjs/common';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { Delivery } from './delivery.js';
import { Intake } from './intake.js';

/** Of the broker's timeout: what is in hand for longer is handed back. */
const OVERDUE_SHARE = 0.8;
const LOOKS_PER_TIMEOUT = 20;
/** A pause ends no later than that after its reason. */
const LONGEST_LOOK_MS = 1_000;

/**
 * Hands back what has been in hand for too long. Otherwise the broker would do so, by closing the channel with all
 * others that are in hand.
 */
export class Overdue {
  private readonly log = new Logger('RabbitMQ');
  private readonly limitMs: number;
  private timer: NodeJS.Timeout | undefined;
  /** Unsettled when their channel was lost: gone back already, but somebody may still be working on them. */
  private lost: Delivery[] = [];

  /**
   * @param timeoutMs the broker's `consumer_timeout`
   * @param ioWaitMs the longest that a message waits in preprocessing
   * @param onAbandoned told each delivery that is the broker's again, and may still be worked on
   * @throws StartupError (exit code 78) when messages would be handed back before they can be answered
   */
  constructor(
    private readonly timeoutMs: number,
    ioWaitMs: number,
    private readonly publisher: Pick<ConfirmedPublisher, 'state'>,
    private readonly onAbandoned: (delivery: Delivery) => void,
  ) {
    this.limitMs = Math.round(OVERDUE_SHARE * timeoutMs);
    if (ioWaitMs >= this.limitMs)
      throw new StartupError(
        `CONSUMER_TIMEOUT_MS: ${timeoutMs} has messages handed back after ${this.limitMs} ms, before their I/O wait of ${ioWaitMs} ms is over; raise it (and the broker's consumer_timeout), or lower PREPROCESS_IO_DELAY_MS or preprocess.ioDelayMs in model.json`,
        EXIT_CONFIG,
      );
  }

  start(intake: () => Intake | undefined): void {
    const everyMs = Math.min(this.timeoutMs / LOOKS_PER_TIMEOUT, LONGEST_LOOK_MS);
    this.timer = setInterval(() => this.handBack(intake()), everyMs).unref();
  }

  /** The channel of these is gone. */
  onChannelLost(unsettled: readonly Delivery[]): void {
    this.lost.push(...unsettled.filter(({ isBegun }) => isBegun));
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private handBack(intake: Intake | undefined): void {
    if (!intake) return;
    const limit = performance.now() - this.limitMs;
    this.abandonLost(limit);
    const overdue = intake.acks.receivedBefore(limit);
    for (const delivery of overdue) {
      delivery.handBack();
      this.onAbandoned(delivery);
    }
    if (overdue.length > 0)
      this.log.warn(
        `${overdue.length} messages have been in hand for ${this.limitMs} ms, near CONSUMER_TIMEOUT_MS: handed back`,
      );
    // Nothing can be settled while nothing can be published: taking them again would only take them round.
    if (this.publisher.state === 'open') intake.halt('blocked', false);
    else if (overdue.length > 0) intake.halt('blocked', true);
  }

  private abandonLost(limit: number): void {
    const inWork = this.lost.filter(({ isSettled }) => !isSettled);
    this.lost = inWork.filter(({ receivedAt }) => receivedAt >= limit);
    for (const delivery of inWork) {
      if (delivery.receivedAt >= limit) continue;
      delivery.drop();
      this.onAbandoned(delivery);
    }
  }
}
