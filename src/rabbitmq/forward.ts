import type { Options } from 'amqplib';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { Delivery } from './delivery.js';

/**
 * Sends the request itself to a queue.
 *
 * @param least the headers that must go with it, also where those received cannot be written again
 * @returns when the broker has confirmed it
 * @throws UnroutableError when there is no such queue, RefusedError when it is full
 */
export async function forward(
  publisher: Pick<ConfirmedPublisher, 'publish'>,
  delivery: Delivery,
  queue: string,
  properties: Options.Publish,
  least: Record<string, unknown>,
): Promise<void> {
  const { content } = delivery.message;
  const options = { ...properties, persistent: true, mandatory: true };
  await publisher.publish({ queue, content, options }, delivery).catch((failure: unknown) => {
    // Headers that amqplib cannot write again: over 64 KiB with the reason, or of types it only reads.
    if (!(failure instanceof RangeError || failure instanceof TypeError)) throw failure;
    return publisher.publish({ queue, content, options: { ...options, headers: least } }, delivery);
  });
}
