import { Module } from '@nestjs/common';
import { MetricsModule } from '../metrics/metrics.module.js';
import { ModelsModule } from '../models/models.module.js';
import { ConfirmedOutcomes } from './confirmed-outcomes.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { RabbitMqTransport } from './rabbitmq.transport.js';
import { ResultPublisher } from './result.publisher.js';
import { WaitingForRoom } from './waiting-for-room.js';

@Module({
  imports: [ModelsModule, MetricsModule],
  providers: [RabbitMqTransport, ConfirmedPublisher, ConfirmedOutcomes, ResultPublisher, WaitingForRoom],
  exports: [RabbitMqTransport, ConfirmedPublisher, ResultPublisher, WaitingForRoom],
})
export class RabbitMqModule {}
