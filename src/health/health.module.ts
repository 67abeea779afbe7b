import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { InferenceModule } from '../inference/inference.module.js';
import { ModelsModule } from '../models/models.module.js';
import { RabbitMqModule } from '../rabbitmq/rabbitmq.module.js';
import { HealthController } from './health.controller.js';
import { LivenessIndicator } from './liveness.health.js';
import { ModelsIndicator } from './models.health.js';
import { OutageIndicator } from './outage.health.js';
import { RabbitMqIndicator } from './rabbitmq.health.js';

@Module({
  // A failing probe is an answer, not an event: no log line each time it is asked.
  imports: [TerminusModule.forRoot({ logger: false }), InferenceModule, ModelsModule, RabbitMqModule],
  controllers: [HealthController],
  providers: [LivenessIndicator, ModelsIndicator, OutageIndicator, RabbitMqIndicator],
})
export class HealthModule {}
