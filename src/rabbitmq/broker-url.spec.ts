import { describe, expect, it } from '@jest/globals';
import { credentialsOf, userOf, vhostOf } from './broker-url.js';

/** What the PLAIN mechanism sends. */
function responseOf(url: string): string | undefined {
  return credentialsOf(url)?.response().toString();
}

describe('the credentials of a URL', () => {
  it.each([
    ['amqp://worker:%C3%A9%E2%82%AC@broker', '\0worker\0é€'],
    ['amqp://worker:é€@broker', '\0worker\0é€'],
    ['amqps://w%C3%B6rker:a@broker', '\0wörker\0a'],
    ['amqp://a%40b:%2F%3A%25%2520@broker', '\0a@b\0/:%%20'],
    ['amqp://worker:100%@broker', '\0worker\x00100%'],
    ['amqp://worker@broker', '\0worker\0'],
  ])('of %s are sent as UTF-8', (url, response) => {
    expect(responseOf(url)).toBe(response);
  });

  it('are left to amqplib where there are none', () => {
    expect(credentialsOf('amqp://broker')).toBeUndefined();
    expect(userOf('amqp://broker')).toBe('guest');
  });
});

it.each([
  ['amqp://broker', '/'],
  ['amqp://broker/', '/'],
  ['amqp://broker/%2F', '/'],
  ['amqp://broker/%2Fa%20%C3%A9', '/a é'],
  ['amqp://broker/a/b?heartbeat=5', 'a/b'],
])('the virtual host of %s is %s', (url, vhost) => {
  expect(vhostOf(url)).toBe(vhost);
});
