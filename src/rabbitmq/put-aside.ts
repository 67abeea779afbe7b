import { readDeadline } from '../protocol/request.deadline.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { displacedHeaders } from './dead-letter.js';
import { Delivery } from './delivery.js';
import { historyHeaders, historyOf } from './history.js';
import { writable } from './left-out.js';
import { retryProperties } from './retry.js';

/**
 * Puts a suspect to the end of its queue, as a copy that says what is held against it. The broker counts anew with
 * a copy: so no crash of another takes it nearer to the delivery limit.
 *
 * @returns when the copy is confirmed and the delivery acked; false when it could not be copied, and is still in hand
 */
export async function putAside(
  delivery: Delivery,
  queue: string,
  publisher: Pick<ConfirmedPublisher, 'publish' | 'frameMax'>,
): Promise<boolean> {
  const { message, suspicion, receivedAt } = delivery;
  // Not the body's: whatever kills the worker may do so in reading it.
  const deadline = readDeadline(message.properties, undefined, receivedAt);
  const history = { ...historyOf(message.properties.headers), crashes: suspicion.crashes, deadline };
  const added = { ...displacedHeaders(delivery), ...historyHeaders(history) };
  const properties = writable(retryProperties(delivery, added), added, publisher.frameMax);
  const options = { ...properties, persistent: true, mandatory: true };
  try {
    await publisher.publish({ queue, content: message.content, options }, delivery);
  } catch {
    return delivery.isStale;
  }
  delivery.ack();
  return true;
}
