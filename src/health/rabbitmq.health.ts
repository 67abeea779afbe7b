import { Injectable } from '@nestjs/common';
import { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { ConfirmedPublisher } from '../rabbitmq/confirmed.publisher.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';

/** A consumer is registered, answers can go out, and the worker is not draining. Reads state, asks nobody. */
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
    const isReady = consumer === 'consuming' && publisher === 'open';
    return isReady ? indicator.up({ consumer, publisher }) : indicator.down({ consumer, publisher });
  }
}
