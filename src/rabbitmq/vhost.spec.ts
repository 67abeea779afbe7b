import { expect, it } from '@jest/globals';
import { vhostOf } from './vhost.js';

it.each([
  ['amqp://host', '/'],
  ['amqp://host/', '/'],
  ['amqp://guest:guest@host:5672/%2F', '/'],
  ['amqps://host/team%20a', 'team a'],
  ['amqp://host/a/b?heartbeat=5', 'a/b'],
])('the virtual host of %s is %s', (url, vhost) => {
  expect(vhostOf(url)).toBe(vhost);
});
