import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { INFER_PATTERN } from '../protocol/request.decoder.js';
import { Delivery } from '../rabbitmq/delivery.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { InferencePipeline } from './inference.pipeline.js';

/** Where a message enters: an ordinary Nest handler, so guards and interceptors work as everywhere. */
@Controller()
export class InferenceController {
  constructor(
    private readonly pipeline: InferencePipeline,
    transport: RabbitMqTransport,
  ) {
    transport.onRefused = (delivery, error) => void this.pipeline.fail(delivery, error);
  }

  @MessagePattern(INFER_PATTERN)
  infer(@Payload() delivery: Delivery): void {
    this.pipeline.accept(delivery);
  }
}
