import { Module } from '@nestjs/common';
import { ConfigModule } from './config/config.module.js';
import { HealthModule } from './health/health.module.js';
import { InferenceModule } from './inference/inference.module.js';
import { ActivityReporter } from './metrics/activity.reporter.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { RabbitMqModule } from './rabbitmq/rabbitmq.module.js';
import { Shutdown } from './shutdown.js';

@Module({
  imports: [ConfigModule, MetricsModule, RabbitMqModule, InferenceModule, HealthModule],
  providers: [ActivityReporter, Shutdown],
})
export class AppModule {}
