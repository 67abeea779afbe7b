import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { FakeChannel, FakeTransport } from '../../test/support/fake-channels.js';
import { consumeMessage } from '../../test/support/messages.js';
import { StartupError } from '../config/startup-error.js';
import { readSettings } from '../config/settings.js';
import { Delivery } from './delivery.js';

const TIMEOUT_MS = 10_000;

describe('Overdue', () => {
  let transport: FakeTransport;
  let channel: FakeChannel;
  let delivered: Delivery[];
  let abandoned: Delivery[];

  beforeEach(async () => {
    Logger.overrideLogger(false);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
    const settings = { TOPOLOGY: 'none', REQUEST_QUEUE: 'jobs', CONSUMER_TIMEOUT_MS: String(TIMEOUT_MS) };
    const capacity = { prefetch: 32, concurrency: 16, longestIoWaitMs: 0 };
    transport = new FakeTransport(readSettings(settings), capacity);
    delivered = [];
    abandoned = [];
    transport.handler = (delivery) => delivered.push(delivery);
    transport.onAbandoned = (delivery) => abandoned.push(delivery);
    await transport.listen(() => {});
    channel = await transport.fakeManager.connect();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const pass = (share: number) => jest.advanceTimersByTimeAsync(share * TIMEOUT_MS);

  it('refuses a timeout that no message could keep', () => {
    const settings = readSettings({ CONSUMER_TIMEOUT_MS: '10000' });
    const open = (longestIoWaitMs: number) =>
      new FakeTransport(settings, { prefetch: 32, concurrency: 16, longestIoWaitMs });
    expect(() => open(7_999)).not.toThrow();
    expect(() => open(8_000)).toThrow(StartupError);
    expect(() => open(8_000)).toThrow(/CONSUMER_TIMEOUT_MS: 10000 .* I\/O wait of 8000 ms/);
  });

  it('hands back what has been in hand for 80 % of the timeout, and only that', async () => {
    channel.send(consumeMessage({}, {}, 1));
    await pass(0.5);
    channel.send(consumeMessage({}, {}, 2));
    await pass(0.25);
    expect(channel.settling.settlements).toEqual([]);
    await pass(0.15);
    expect(channel.settling.settlements).toEqual(['nack 1']);
    expect(abandoned).toEqual([delivered[0]]);
    expect(transport.inHand).toBe(1);
  });

  it('makes void what becomes of it later', async () => {
    channel.send(consumeMessage({}, {}, 1));
    await pass(0.9);
    expect(delivered[0]?.isStale).toBe(true);
    delivered[0]?.ack();
    await pass(0.01);
    expect(channel.settling.settlements).toEqual(['nack 1']);
    expect(transport.inHand).toBe(0);
  });

  it('tells of what outlives its channel for as long, and only if it was begun and has not ended', async () => {
    for (const tag of [1, 2, 3]) channel.send(consumeMessage({}, {}, tag));
    const [endless, ended] = delivered;
    for (const delivery of [endless, ended]) (delivery as Delivery).isBegun = true;
    channel.emit('close');
    await transport.fakeManager.connect();
    ended?.drop();
    await pass(0.7);
    expect(abandoned).toEqual([]);
    await pass(0.2);
    expect(abandoned).toEqual([endless]);
    await pass(1);
    expect(abandoned).toEqual([endless]);
  });

  it('takes nothing more while nothing can be published, until it can', async () => {
    transport.publisher.state = 'blocked';
    channel.send(consumeMessage({}, {}, 1));
    await pass(0.9);
    expect(channel.asked.at(-1)).toBe('cancel');
    await pass(1);
    expect(channel.asked.at(-1)).toBe('cancel');
    transport.publisher.state = 'open';
    await pass(0.1);
    expect(channel.asked.slice(-2)).toEqual(['prefetch 32', 'consume jobs']);
  });
});
