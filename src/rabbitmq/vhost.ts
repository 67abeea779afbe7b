import { unescape } from 'node:querystring';

/** The virtual host of an AMQP URL, as amqplib reads it: `/` where the URL names none. */
export function vhostOf(url: string): string {
  return unescape(new URL(url).pathname.slice(1)) || '/';
}
