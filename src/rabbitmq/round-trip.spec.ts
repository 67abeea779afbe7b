import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ChannelModel, Options } from 'amqplib';
import { isProbe, tryRoundTrip } from './round-trip.js';

interface Message {
  readonly content: Buffer;
  readonly properties: { readonly type?: string };
}

const REQUEST: Message = { content: Buffer.from('{"data":[1]}'), properties: {} };

/** Two queues of a broker: what is published to the retry queue comes to the request queue after `delayMs`. */
class Queues {
  readonly requests: Message[] = [];
  readonly settled: string[] = [];
  readonly published: Options.Publish[] = [];
  waiting = 0;
  consumers = 0;
  isForbidden = false;
  isOpen = true;

  constructor(private readonly delayMs = Infinity) {}

  async createConfirmChannel() {
    return {
      on: () => {},
      checkQueue: async (queue: string) => {
        if (this.isForbidden) throw Object.assign(new Error('ACCESS_REFUSED'), { code: 403 });
        if (queue === 'jobs.retry') return { messageCount: this.waiting, consumerCount: 0 };
        return { messageCount: this.requests.length, consumerCount: this.consumers };
      },
      sendToQueue: (_queue: string, content: Buffer, options: Options.Publish) => {
        this.published.push(options);
        if (this.delayMs < Infinity)
          setTimeout(() => this.requests.push({ content, properties: options }), this.delayMs);
      },
      waitForConfirms: async () => {},
      get: async () => this.requests.shift() ?? false,
      ack: () => void this.settled.push('ack'),
      nack: () => void this.settled.push('nack'),
      close: async () => void (this.isOpen = false),
    };
  }

  try(delayMs: number) {
    const way = { requests: 'jobs', retry: 'jobs.retry', delayMs };
    return tryRoundTrip(this as unknown as ChannelModel, way);
  }
}

describe('a round trip', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  async function verdict(queues: Queues, delayMs: number) {
    const trying = queues.try(delayMs);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(queues.isOpen).toBe(false);
    return trying;
  }

  it('is made in full where the delay is short, and takes its probe out again', async () => {
    const queues = new Queues(500);
    expect(await verdict(queues, 500)).toBe('full');
    expect(queues.requests).toEqual([]);
    expect(queues.settled).toEqual(['ack']);
  });

  it('shows the way alone where the probe comes back too early: a policy may have a shorter TTL', async () => {
    const queues = new Queues(1);
    expect(await verdict(queues, 500)).toBe('way');
    expect(queues.settled).toEqual(['ack']);
  });

  it('is made at once, for the way alone, where the delay is long', async () => {
    const queues = new Queues(1);
    expect(await verdict(queues, 60_000)).toBe('way');
    expect(queues.published).toMatchObject([{ expiration: 1 }]);
  });

  it.each([100, 60_000])('is lost where nothing comes back (%i ms)', async (delayMs) => {
    expect(await verdict(new Queues(), delayMs)).toBe('lost');
  });

  it('is lost where a short delay is a long one', async () => {
    const queues = new Queues(6_100);
    expect(await verdict(queues, 100)).toBe('lost');
    expect(queues.requests).toEqual([]);
  });

  it.each<[string, (queues: Queues) => void]>([
    ['requests are waiting', (queues) => queues.requests.push(REQUEST)],
    ['somebody consumes', (queues) => (queues.consumers = 1)],
    ['other messages wait in the retry queue', (queues) => (queues.waiting = 1)],
    ['the user may not see so', (queues) => (queues.isForbidden = true)],
  ])('is not begun where %s', async (_, arrange) => {
    const queues = new Queues(1);
    arrange(queues);
    expect(await verdict(queues, 100)).toBe('unknown');
    expect(queues.published).toEqual([]);
  });

  it('says nothing when somebody begins to consume meanwhile', async () => {
    const queues = new Queues(500);
    setTimeout(() => (queues.consumers = 1), 200);
    expect(await verdict(queues, 500)).toBe('unknown');
  });

  it('gives a request back that comes instead', async () => {
    const queues = new Queues();
    setTimeout(() => queues.requests.push(REQUEST), 200);
    expect(await verdict(queues, 500)).toBe('unknown');
    expect(queues.settled).toEqual(['nack']);
  });

  it('knows its probe from a request', () => {
    expect(isProbe({ ...REQUEST, properties: { type: 'digits' } as never })).toBe(false);
    expect(isProbe({ ...REQUEST, properties: { type: 'onnxmq.probe' } as never })).toBe(false);
  });
});
