import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Options } from 'amqplib';
import { readTestSet } from '../src/cli/test-set.js';
import { WorkerProcess } from '../src/cli/worker-process.js';
import { BrokerClient } from './support/broker-client.js';
import { Scene } from './support/scene.js';

describe('errors', () => {
  const [image = []] = readTestSet().images;
  const tensor = { name: 'image', shape: [1, 64], datatype: 'FP32', data: image };
  const marker = 'body-marker-5f1c';
  const scene = new Scene();
  let worker: WorkerProcess;
  let client: BrokerClient;

  beforeAll(async () => {
    worker = await scene.consumingWorker({ MAX_MESSAGE_BYTES: '4096' });
    client = await scene.client();
  });

  afterAll(() => scene.end());

  const cases: [string, unknown, Options.Publish?][] = [
    ['INVALID_JSON', `{"id": "${marker}", `],
    ['INVALID_JSON', Buffer.from([0xff, 0xfe, 0x00])],
    ['INVALID_JSON', ''],
    ['INVALID_REQUEST', '[1, 2]'],
    ['INVALID_REQUEST', { id: marker, nothing: marker }],
    ['INVALID_REQUEST', { id: 7, data: image }],
    ['UNSUPPORTED_ENCODING', { data: image }, { contentEncoding: 'br' }],
    ['UNSUPPORTED_ENCODING', { data: image }, { contentEncoding: 'gzip' }],
    ['TOO_LARGE', { data: image, padding: marker.repeat(400) }],
    [
      'TOO_LARGE',
      gzipSync(JSON.stringify({ data: image, padding: marker.repeat(400) })),
      { contentEncoding: 'gzip' },
    ],
    ['UNKNOWN_MODEL', { model: 'nonesuch', data: image }],
    ['UNKNOWN_INPUT', { inputs: [tensor, { ...tensor, name: 'other' }] }],
    ['MISSING_INPUT', { inputs: [] }],
    ['SHAPE_MISMATCH', { data: [1, 2, 3] }],
    ['SHAPE_MISMATCH', { inputs: [{ ...tensor, shape: [2, 64] }] }],
    ['SHAPE_MISMATCH', { inputs: [{ ...tensor, shape: [1, 65] }] }],
    ['DATATYPE_MISMATCH', { inputs: [{ ...tensor, datatype: 'INT64' }] }],
    ['DATATYPE_MISMATCH', { data: image.map(() => marker) }],
    ['DATATYPE_MISMATCH', { data: image.map((_, at) => (at === 9 ? null : 0)) }],
    ['DEADLINE_EXCEEDED', { inputs: [tensor], parameters: { timeout: 1 } }],
    ['DEADLINE_EXCEEDED', { data: image }, { expiration: '600', timestamp: 1_700_000_000 }],
  ];

  it.each(cases)(
    '%s is answered, and the request is a dead letter: %#',
    async (code, request, options = {}) => {
      const sent = { messageId: `message ${marker}`, correlationId: 'c', appId: 'test', ...options };
      const { body, properties } = await client.ask(scene.queue, request, sent);
      expect(body).toEqual({ id: expect.any(String), code, error: expect.any(String) });
      expect(properties).toMatchObject({ type: 'inference.error', correlationId: 'c', deliveryMode: 2 });

      const dead = await client.take(scene.deadLetterQueue);
      const content = Buffer.isBuffer(request)
        ? request
        : Buffer.from(typeof request === 'string' ? request : JSON.stringify(request));
      expect(dead.content).toEqual(content);
      expect(dead.properties).toMatchObject({ messageId: sent.messageId, correlationId: 'c', appId: 'test' });
      expect(dead.properties.headers).toMatchObject({
        'x-error-code': code,
        'x-error-message': body['error'],
        'x-attempts': 1,
        'x-first-failed-at': expect.stringMatching(/^\d{4}-.*Z$/),
      });
    },
  );

  it("reach Nest's ClientProxy in its envelope, also where the pattern is not served, or the body compressed", async () => {
    const { body } = await client.ask(scene.queue, {
      pattern: 'other',
      id: 'n',
      data: { id: 'r', data: image },
    });
    expect(body).toEqual({
      id: 'n',
      err: { id: 'r', code: 'INVALID_REQUEST', error: expect.any(String) },
      isDisposed: true,
    });
    const packet = gzipSync(JSON.stringify({ pattern: 'infer', id: 'n', data: { id: 'r', data: [1] } }));
    const compressed = await client.ask(scene.queue, packet, { contentEncoding: 'gzip' });
    expect(compressed.body).toMatchObject({ id: 'n', err: { id: 'r', code: 'SHAPE_MISMATCH' } });
    for (let letters = 0; letters < 2; letters++) await client.take(scene.deadLetterQueue);
  });

  it('name the model in the dead letter as soon as it is known', async () => {
    await client.ask(scene.queue, { data: [1] });
    expect((await client.take(scene.deadLetterQueue)).properties.headers).toMatchObject({
      'x-model': 'digits',
    });
  });

  it('REPLY_UNROUTABLE: a result that nobody can take becomes a dead letter', async () => {
    await client.send(scene.queue, { id: 'lost', data: image }, { replyTo: `${scene.queue}.nowhere` });
    const dead = await client.take(scene.deadLetterQueue);
    expect(dead.properties.headers).toMatchObject({ 'x-error-code': 'REPLY_UNROUTABLE' });
  });

  it('make dead letters that do not expire and are copied nowhere else', async () => {
    const copies = scene.willDelete(`${scene.queue}.copies`);
    await client.channel.assertQueue(copies, { durable: true });
    await client.ask(scene.queue, { data: [1] }, { expiration: '60000', CC: [copies] });
    const dead = await client.take(scene.deadLetterQueue);
    expect(dead.properties.expiration).toBeUndefined();
    expect(dead.properties.headers).toMatchObject({ 'x-expiration': '60000' });
    expect(await client.depth(copies)).toBe(1); // the producer's own copy
  });

  it('keep dead letters whose own headers leave no room for the reason', async () => {
    const headers = { large: 'x'.repeat(65_000) };
    await client.ask(scene.queue, { data: [1] }, { headers });
    const dead = await client.take(scene.deadLetterQueue);
    expect(dead.properties.headers).toMatchObject({ 'x-error-code': 'SHAPE_MISMATCH' });
  });

  it('are answered without harm to the good requests among them', async () => {
    const before = client.answers.length;
    for (let i = 0; i < 200; i++) void client.send(scene.queue, { id: `${i}`, data: i % 2 ? image : [1] });
    const answers = (await client.received(before + 200)).slice(before);
    const byId = new Map(answers.map(({ body }) => [body['id'], body]));
    for (let i = 0; i < 200; i++)
      expect(byId.get(`${i}`)).toMatchObject(i % 2 ? { model_name: 'digits' } : { code: 'SHAPE_MISMATCH' });
    await client.channel.purgeQueue(scene.deadLetterQueue);
  });

  it('each have one line in the log with their code, without body and password', () => {
    const warnings = worker.logs.filter(({ level, context }) => level === 'warn' && context === 'Inference');
    expect(warnings.length).toBeGreaterThanOrEqual(cases.length);
    for (const [code] of cases) expect(warnings.map((line) => line['code'])).toContain(code);
    for (const { id: _, ...line } of worker.logs) expect(JSON.stringify(line)).not.toContain(marker);
    expect(JSON.stringify(worker.logs) + worker.errors).not.toContain('guest:guest');
  });
});
