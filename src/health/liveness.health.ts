import { Injectable } from '@nestjs/common';
import { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { ConfirmedPublisher } from '../rabbitmq/confirmed.publisher.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';

/** Messages in hand and none settled for this long: a restart would help. */
const STALLED_AFTER_MS = 120_000;

/**
 * The process makes progress. That this answers at all shows that the event loop turns. While nothing can be
 * settled because the broker is away or blocks publishing, standing still is right.
 */
@Injectable()
export class LivenessIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly transport: RabbitMqTransport,
    private readonly publisher: ConfirmedPublisher,
  ) {}

  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('progress');
    const { inHand, lastProgressAt } = this.transport;
    const canSettle = this.transport.state === 'consuming' && this.publisher.state === 'open';
    const idleMs = Math.round(performance.now() - lastProgressAt);
    const isStalled = inHand > 0 && canSettle && idleMs > STALLED_AFTER_MS;
    return isStalled ? indicator.down({ inHand, idleMs }) : indicator.up({ inHand });
  }
}
