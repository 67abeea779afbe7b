import type { ConsumeMessage } from 'amqplib';
import { AckCoalescer } from '../../src/rabbitmq/ack.coalescer.js';
import { Delivery } from '../../src/rabbitmq/delivery.js';
import { Suspicion, UNSUSPECTED } from '../../src/rabbitmq/suspicion.js';
import { deferred } from './deferred.js';

/** A message as amqplib hands it over. */
export function consumeMessage(
  body: Buffer | object,
  properties: object = {},
  deliveryTag = 1,
  redelivered = false,
) {
  return {
    content: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
    properties: { headers: {}, ...properties },
    fields: { deliveryTag, routingKey: 'inference', redelivered },
  } as ConsumeMessage;
}

/** A channel that writes down how deliveries are settled. */
export class SettlingChannel {
  /** `ack 3`, `ack 3 and below`, `nack 3`, `nack all`. */
  readonly settlements: string[] = [];

  ack({ fields }: ConsumeMessage, allUpTo?: boolean): void {
    this.settlements.push(`ack ${fields.deliveryTag}${allUpTo ? ' and below' : ''}`);
  }

  nack({ fields }: ConsumeMessage, _allUpTo?: boolean, requeue?: boolean): void {
    this.settlements.push(`nack ${fields.deliveryTag}${requeue ? '' : ' for good'}`);
  }

  nackAll(requeue?: boolean): void {
    this.settlements.push(`nack all${requeue ? '' : ' for good'}`);
  }
}

/** A delivery in hand, the channel that it came by, and when it is settled. */
export function deliver(
  body: Buffer | object,
  properties: object = {},
  deliveryTag = 1,
  { redelivered = false, suspicion = UNSUSPECTED }: { redelivered?: boolean; suspicion?: Suspicion } = {},
) {
  const channel = new SettlingChannel();
  const acks = new AckCoalescer(channel);
  const settled = deferred();
  const message = consumeMessage(body, properties, deliveryTag, redelivered);
  const custody = { onSettled: () => settled.resolve(), onHandedBack: () => {}, onResting: () => {} };
  const delivery = new Delivery(message, acks, custody, suspicion);
  return { delivery, acks, channel, settled: settled.promise };
}
