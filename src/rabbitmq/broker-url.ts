import { unescape } from 'node:querystring';
import { credentials } from 'amqplib';

/**
 * User and password of an AMQP URL as RabbitMQ takes them, in UTF-8: amqplib by itself reads their percent-encoded bytes
 * as Latin-1. Undefined where the URL has none: then amqplib is `guest`.
 */
export function credentialsOf(url: string): ReturnType<typeof credentials.plain> | undefined {
  const { username, password } = new URL(url);
  return username || password ? credentials.plain(unescape(username), unescape(password)) : undefined;
}

/** The user that a URL logs in as, for messages. */
export function userOf(url: string): string {
  return credentialsOf(url)?.username ?? 'guest';
}

/** The virtual host of an AMQP URL, as amqplib reads it: `/` where the URL names none. */
export function vhostOf(url: string): string {
  return unescape(new URL(url).pathname.slice(1)) || '/';
}
