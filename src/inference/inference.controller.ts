import { Controller, OnApplicationBootstrap } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { INFER_PATTERN } from '../protocol/request.decoder.js';
import { Delivery } from '../rabbitmq/delivery.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { FailureHandler } from './failure.handler.js';
import { asInferenceError } from './inference.errors.js';
import { InferencePipeline } from './inference.pipeline.js';
import { NestEnhancers } from './nest-enhancers.js';

/** Where a message enters: an ordinary Nest handler, so guards and interceptors work as everywhere. */
@Controller()
export class InferenceController implements OnApplicationBootstrap {
  constructor(
    private readonly pipeline: InferencePipeline,
    private readonly transport: RabbitMqTransport,
    private readonly enhancers: NestEnhancers,
    failures: FailureHandler,
  ) {
    transport.onRefused = (delivery, error) =>
      void failures.fail(delivery, asInferenceError(error, 'INTERNAL', 'the worker refused it').asOwnFault());
    transport.onChannelLost = () => this.pipeline.forgetStale();
    transport.onAbandoned = (delivery) => this.pipeline.abandon(delivery);
  }

  /** Nest's way to a handler is a dozen promises. With nothing on the way, the transport goes straight to it. */
  onApplicationBootstrap(): void {
    if (!this.enhancers.precede(InferenceController, 'infer'))
      this.transport.handler = (delivery) => this.infer(delivery);
  }

  @MessagePattern(INFER_PATTERN)
  infer(@Payload() delivery: Delivery): void {
    this.pipeline.accept(delivery);
  }
}
