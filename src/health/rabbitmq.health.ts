import { Injectable } from '@nestjs/common';
import { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { ConfirmedPublisher } from '../rabbitmq/confirmed.publisher.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';

/**
 * A consumer is registered, answers can go out, and the worker is not draining. Reads state, asks nobody. Where a queue
 * takes no dead letters or retries it says which, and that the worker is degraded; it is ready nevertheless, as other
 * requests are answered.
 */
@Injectable()
export class RabbitMqIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly transport: RabbitMqTransport,
    private readonly publisher: ConfirmedPublisher,
  ) {}

  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('rabbitmq');
    const consumer = this.transport.state;
    const publisher = this.publisher.state;
    const { names: full } = this.publisher.fullQueues;
    if (consumer !== 'consuming' || publisher !== 'open') return indicator.down({ consumer, publisher });
    if (full.length > 0) return indicator.up({ consumer, publisher, state: 'degraded', full });
    return indicator.up({ consumer, publisher });
  }
}
