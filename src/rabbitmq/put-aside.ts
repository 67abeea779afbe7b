import { readDeadline } from '../protocol/request.deadline.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { displacedHeaders } from './dead-letter.js';
import { Delivery } from './delivery.js';
import { retryHeaders, retryProperties } from './retry.js';
import { CRASHES_HEADER } from './suspicion.js';

/**
 * Puts a suspect to the end of its queue, as a copy that says what is held against it. The broker counts anew with
 * a copy: so no crash of another takes it nearer to the delivery limit.
 *
 * @returns when the copy is confirmed and the delivery acked; false when it could not be copied, and is still in hand
 */
export async function putAside(
  delivery: Delivery,
  queue: string,
  publisher: Pick<ConfirmedPublisher, 'publish'>,
): Promise<boolean> {
  const { message, suspicion, receivedAt } = delivery;
  // Not the body's: whatever kills the worker may do so in reading it.
  const deadline = readDeadline(message.properties, undefined, receivedAt);
  const added = retryHeaders(displacedHeaders(delivery), 0, deadline);
  const properties = retryProperties(delivery, added);
  const headers = { ...(properties.headers as object), [CRASHES_HEADER]: suspicion.crashes };
  const options = { ...properties, headers, persistent: true, mandatory: true };
  try {
    await publisher.publish({ queue, content: message.content, options }, delivery);
  } catch {
    return delivery.isStale;
  }
  delivery.ack();
  return true;
}
