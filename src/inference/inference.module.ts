import { Module } from '@nestjs/common';
import { MetricsModule } from '../metrics/metrics.module.js';
import { ModelsModule } from '../models/models.module.js';
import { PreprocessModule } from '../preprocess/preprocess.module.js';
import { RabbitMqModule } from '../rabbitmq/rabbitmq.module.js';
import { FailureHandler } from './failure.handler.js';
import { InferenceController } from './inference.controller.js';
import { InferencePipeline } from './inference.pipeline.js';
import { InferenceService } from './inference.service.js';
import { NestEnhancers } from './nest-enhancers.js';
import { Outage } from './outage.js';

@Module({
  imports: [ModelsModule, PreprocessModule, RabbitMqModule, MetricsModule],
  controllers: [InferenceController],
  providers: [FailureHandler, InferencePipeline, InferenceService, NestEnhancers, Outage],
  exports: [InferenceService, Outage],
})
export class InferenceModule {}
