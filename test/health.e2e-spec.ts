import { afterEach, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import { bodyOf, statusOf, untilStatus } from './support/probes.js';
import { useScene } from './support/scene.js';
import { TcpProxy } from './support/tcp-proxy.js';

describe('the probes', () => {
  const scene = useScene();
  let proxy: TcpProxy | undefined;
  afterEach(() => proxy?.close());

  it('are live, but neither started nor ready, before the models are warm', async () => {
    const worker = scene().worker();
    // The probes answer before the models are loaded; how long that lasts is a few milliseconds.
    await worker.httpUrl();
    const [live, startup] = await Promise.all([statusOf(worker, 'live'), statusOf(worker, 'startup')]);
    expect(live).toBe(200);
    expect([200, 503]).toContain(startup);
    await worker.consuming();
    expect(await statusOf(worker, 'startup')).toBe(200);
  });

  it('follow the broker: not there yet, there, gone, back; live throughout', async () => {
    proxy = await new TcpProxy().reserve();
    const worker = scene().worker({ RABBITMQ_URL: proxy.url });
    const waiting = await worker.log(({ msg }) => msg.includes('waiting for RabbitMQ'));
    expect(waiting.msg).toContain('guest:***@127.0.0.1');
    await untilStatus(worker, 'startup', 200);
    expect(await statusOf(worker, 'ready')).toBe(503);
    expect(await bodyOf(worker, 'ready')).toMatchObject({
      status: 'error',
      error: { rabbitmq: { status: 'down', consumer: 'connecting', publisher: 'closed' } },
    });
    expect(await statusOf(worker, 'live')).toBe(200);

    await proxy.open();
    await untilStatus(worker, 'ready', 200);

    await proxy.close();
    await untilStatus(worker, 'ready', 503);
    expect(await statusOf(worker, 'live')).toBe(200);
    expect(await statusOf(worker, 'startup')).toBe(200);

    await proxy.open();
    await untilStatus(worker, 'ready', 200);
    expect(await bodyOf(worker, 'ready')).toMatchObject({
      status: 'ok',
      info: {
        models: { status: 'up' },
        rabbitmq: { status: 'up', consumer: 'consuming', publisher: 'open' },
      },
    });
    expect(await statusOf(worker, 'live')).toBe(200);
  });

  it('are not ready, but live, while the worker drains', async () => {
    const client = await scene().client();
    const worker = await scene().consumingWorker({ PREPROCESS_IO_DELAY_MS: '1500' });
    await client.send(scene().queue, { id: 'last', data: readTestSet().images[0] });
    await worker.log(({ inHand }) => inHand === 1);
    const ended = worker.stop('SIGTERM');
    await worker.log(({ msg }) => msg.startsWith('draining'));
    expect(await statusOf(worker, 'ready')).toBe(503);
    expect(await statusOf(worker, 'live')).toBe(200);
    expect(await ended).toBe(0);
    expect(client.answers).toMatchObject([{ body: { id: 'last' } }]);
  });
});
