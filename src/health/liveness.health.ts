import { Injectable } from '@nestjs/common';
import { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Capacity } from '../models/capacity.js';
import { ConfirmedPublisher } from '../rabbitmq/confirmed.publisher.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';

/** Messages in hand and none settled for this long, beyond the I/O wait: a restart would help. */
const STALLED_AFTER_MS = 120_000;

/**
 * The process makes progress. That this answers at all shows that the event loop turns. While nothing can be
 * settled because the broker is away or takes no messages, standing still is right.
 */
@Injectable()
export class LivenessIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly transport: RabbitMqTransport,
    private readonly publisher: ConfirmedPublisher,
    private readonly capacity: Capacity,
  ) {}

  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('progress');
    const { inHand, resting, lastProgressAt } = this.transport;
    const isTaken = this.publisher.state === 'open' && !this.publisher.isRefused;
    const canSettle = this.transport.state === 'consuming' && isTaken;
    const idleMs = Math.round(performance.now() - lastProgressAt);
    const isStalled =
      inHand > resting && canSettle && idleMs > STALLED_AFTER_MS + this.capacity.longestIoWaitMs;
    return isStalled ? indicator.down({ inHand, idleMs }) : indicator.up({ inHand });
  }
}
