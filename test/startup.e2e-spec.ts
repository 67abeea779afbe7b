import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import { BROKER_URL } from './support/broker-client.js';
import { useScene } from './support/scene.js';

const [image] = readTestSet().images;

describe('the worker', () => {
  const scene = useScene();
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnxmq-test-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Starts a worker that cannot start. */
  async function refusal(
    settings: Record<string, string>,
  ): Promise<{ code: number | null; lines: string[] }> {
    const worker = scene().worker(settings);
    const code = await worker.ended();
    return { code, lines: worker.errors.trim().split('\n') };
  }

  it('stops with one line when its port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, lines } = await refusal({ HTTP_PORT: String(port) });
    server.close();
    expect(code).toBe(1);
    expect(lines).toEqual([
      `onnxmq cannot start: HTTP_PORT: 127.0.0.1:${port} is already in use; choose another`,
    ]);
  });

  it('stops with one line when there is no models folder', async () => {
    const missing = join(folder, 'missing');
    const { code, lines } = await refusal({ MODELS_DIR: missing });
    expect(code).toBe(78);
    expect(lines).toEqual([`onnxmq cannot start: MODELS_DIR: there is no folder ${JSON.stringify(missing)}`]);
  });

  it('stops with one line that names a model file that is broken', async () => {
    const models = join(folder, 'broken');
    mkdirSync(join(models, 'bad'), { recursive: true });
    writeFileSync(join(models, 'bad', 'model.onnx'), 'no model');
    const { code, lines } = await refusal({ MODELS_DIR: models });
    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /model 'bad' \(.*bad.model\.onnx\) cannot be served: .*[Pp]rotobuf parsing failed/,
    );
  });

  it('stops with one line for each wrong setting, all at once', async () => {
    const { code, lines } = await refusal({ PREFETCH: '0', QUEUE_TYPE: 'stream', LOG_LEVEL: 'loud' });
    expect(code).toBe(78);
    expect(lines).toEqual([
      expect.stringContaining('QUEUE_TYPE: "stream" is not allowed; it takes quorum or classic'),
      expect.stringContaining('PREFETCH: "0" is not allowed'),
      expect.stringContaining('LOG_LEVEL: "loud" is not allowed'),
    ]);
  });

  it('refuses bounds that cannot work together', async () => {
    const { code, lines } = await refusal({ PREFETCH: '64', CONCURRENCY: '128' });
    expect(code).toBe(78);
    expect(lines).toEqual([expect.stringContaining('PREFETCH: 64 is less than CONCURRENCY, 128')]);
  });

  it('names queue, argument and both values when its queue exists with other arguments', async () => {
    await scene().consumingWorker({ DELIVERY_LIMIT: '5' });
    const { code, lines } = await refusal({ DELIVERY_LIMIT: '7' });
    expect(code).toBe(78);
    expect(lines).toEqual([
      `onnxmq cannot start: queue '${scene().queue}' exists with other arguments: x-delivery-limit is 5, ` +
        'the worker declares 7; change the setting, delete the queue, or set TOPOLOGY=check',
    ]);
  });

  it('with TOPOLOGY=check takes the queues as they are, and names one that is missing', async () => {
    const { code, lines } = await refusal({ TOPOLOGY: 'check' });
    expect(code).toBe(78);
    expect(lines).toEqual([expect.stringContaining(`queue '${scene().deadLetterQueue}' does not exist`)]);
    const client = await scene().client();
    await client.channel.assertQueue(scene().queue, { durable: true });
    await client.channel.assertQueue(scene().deadLetterQueue, { durable: true });
    await scene().consumingWorker({ TOPOLOGY: 'check' });
    expect(await client.ask(scene().queue, { id: 'a', data: image })).toMatchObject({ body: { id: 'a' } });
  });

  it('works on classic queues', async () => {
    await scene().consumingWorker({ QUEUE_TYPE: 'classic' });
    const client = await scene().client();
    expect(await client.ask(scene().queue, { id: 'a', data: image })).toMatchObject({ body: { id: 'a' } });
  });

  it('reads a setting from the file that <NAME>_FILE names', async () => {
    const file = join(folder, 'url');
    writeFileSync(file, `${BROKER_URL}\n`);
    const worker = scene().worker({ RABBITMQ_URL: '', RABBITMQ_URL_FILE: file });
    await worker.consuming();
  });
});
