import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Settings } from './config/settings.js';
import { InferenceService } from './inference/inference.service.js';
import { ConfirmedPublisher } from './rabbitmq/confirmed.publisher.js';
import { RabbitMqTransport } from './rabbitmq/rabbitmq.transport.js';
import { Shutdown } from './shutdown.js';

const never = new Promise<void>(() => {});

/** Notes how long it was given to drain. */
class FakeTransport {
  readonly inHand = 3;
  readonly drains: number[] = [];

  constructor(private readonly cancelled: Promise<void>) {}

  stopConsuming(): Promise<void> {
    return this.cancelled;
  }

  drain(timeoutMs: number): Promise<void> {
    this.drains.push(timeoutMs);
    return Promise.resolve();
  }
}

async function shutDown(
  transport: FakeTransport,
  drainTimeoutMs: number,
  release: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const shutdown = new Shutdown(
    { DRAIN_TIMEOUT_MS: drainTimeoutMs } as Settings,
    transport as unknown as RabbitMqTransport,
    { hurry: () => {}, close: () => Promise.resolve() } as ConfirmedPublisher,
    { release } as InferenceService,
  );
  await shutdown.onModuleDestroy();
  await shutdown.beforeApplicationShutdown();
  await shutdown.onApplicationShutdown();
}

describe('the shutdown', () => {
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('does not wait for ever for a broker that never says that it has cancelled the consumer', async () => {
    const transport = new FakeTransport(never);
    await shutDown(transport, 10);
    expect(transport.drains).toEqual([expect.any(Number)]);
    expect(transport.drains[0]).toBeLessThan(2);
  });

  it('ends hard when a model does not end: an exit in order would wait for its thread', async () => {
    jest.useFakeTimers();
    const kill = jest.spyOn(process, 'kill').mockReturnValue(true);
    const abort = jest.spyOn(process, 'abort').mockReturnValue(undefined as never);
    void shutDown(new FakeTransport(Promise.resolve()), 10, () => never);
    await jest.advanceTimersByTimeAsync(5_009);
    expect(kill).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(kill).toHaveBeenCalledWith(process.pid, 'SIGKILL');
    expect(abort).toHaveBeenCalled(); // process 1 of a container outlives its own SIGKILL
  });

  it('leaves what is in hand the time that the broker did not take', async () => {
    const transport = new FakeTransport(Promise.resolve());
    await shutDown(transport, 60_000);
    expect(transport.drains[0]).toBeGreaterThan(30_000);
    expect(transport.drains[0]).toBeLessThanOrEqual(60_000);
  });
});
