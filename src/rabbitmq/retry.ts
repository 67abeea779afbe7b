import type { Options } from 'amqplib';
import { deadLetterProperties } from './dead-letter.js';
import { Delivery } from './delivery.js';

/** In these the broker writes where a message has expired or died. A copy has done neither, and each would make it longer. */
const DEATH_HEADER = /^x-(death$|first-death-|last-death-)/;

/** The properties of a copy that goes back to the request queue: those of the message as received, and the headers added. */
export function retryProperties(delivery: Delivery, added: Record<string, unknown>): Options.Publish {
  const properties = deadLetterProperties(delivery, added);
  const headers = Object.entries(properties.headers as Record<string, unknown>);
  return {
    ...properties,
    headers: Object.fromEntries(headers.filter(([name]) => !DEATH_HEADER.test(name))),
  };
}
