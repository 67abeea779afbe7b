import type { MessageHandler } from '@nestjs/microservices';
import { RmqContext } from '@nestjs/microservices';
import type { Channel } from 'amqplib';
import { isObservable } from 'rxjs';
import { INFER_PATTERN } from '../protocol/request.decoder.js';
import { Delivery } from './delivery.js';

/**
 * Hands a delivery to a message-pattern handler by way of Nest, which calls guards, pipes and interceptors before it.
 *
 * @param onRefused told what one of these threw
 */
export async function callNestHandler(
  handler: MessageHandler | undefined,
  delivery: Delivery,
  channel: Channel,
  onRefused: (delivery: Delivery, error: unknown) => void,
): Promise<void> {
  try {
    if (!handler) throw new Error(`no @MessagePattern('${INFER_PATTERN}') handler is registered`);
    const context = new RmqContext([delivery.message, channel, INFER_PATTERN]);
    const outcome: unknown = await handler(delivery, context);
    // Nest gives what a guard, pipe or interceptor threw as an observable that fails.
    if (isObservable(outcome)) outcome.subscribe({ error: (error) => onRefused(delivery, error) });
  } catch (error) {
    onRefused(delivery, error);
  }
}
