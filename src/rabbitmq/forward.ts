import type { Options } from 'amqplib';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { Delivery } from './delivery.js';
import { writable } from './left-out.js';

/**
 * Sends the request itself to a queue.
 *
 * @param essential the headers that must go with it, also where there is no room for all that were received
 * @returns when the broker has confirmed it
 * @throws UnroutableError when there is no such queue, RefusedError when it is full
 */
export async function forward(
  publisher: Pick<ConfirmedPublisher, 'publish' | 'frameMax'>,
  delivery: Delivery,
  queue: string,
  properties: Options.Publish,
  essential: Record<string, unknown>,
): Promise<void> {
  const { content } = delivery.message;
  const options = {
    ...writable(properties, essential, publisher.frameMax),
    persistent: true,
    mandatory: true,
  };
  await publisher.publish({ queue, content, options }, delivery);
}
