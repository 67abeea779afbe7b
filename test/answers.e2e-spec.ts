import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientProxy, ClientProxyFactory, Transport } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { readTestSet } from '../src/cli/test-set.js';
import { ModelRepository } from '../src/models/model.repository.js';
import { OnnxSession } from '../src/models/onnx.session.js';
import { BROKER_URL, BrokerClient } from './support/broker-client.js';
import { Scene } from './support/scene.js';

interface V2Response {
  readonly id: string;
  readonly outputs: { readonly shape: number[]; readonly data: number[] }[];
  readonly parameters: { readonly label: string[]; readonly score: number[] };
}

describe('answers', () => {
  const { images, labels } = readTestSet();
  const scene = new Scene();
  const results = scene.willDelete(`${scene.queue}.results`);
  let client: BrokerClient;
  let nest: ClientProxy;

  beforeAll(async () => {
    await scene.consumingWorker({ RESULTS_QUEUE: results });
    client = await scene.client();
    nest = ClientProxyFactory.create({
      transport: Transport.RMQ,
      options: { urls: [BROKER_URL], queue: scene.queue, noAssert: true },
    });
  });

  afterAll(async () => {
    await nest.close();
    await scene.end();
  });

  const labelOf = (body: unknown) => (body as V2Response).parameters.label[0];

  it('give every held-out image its own label, sent all at once in random order', async () => {
    const order = images.map((_, index) => index).toSorted(() => Math.random() - 0.5);
    const before = client.answers.length;
    for (const index of order)
      void client.send(
        scene.queue,
        { id: `image ${index}`, data: images[index] },
        { correlationId: `c${index}` },
      );
    const answers = (await client.received(before + images.length)).slice(before);
    const byId = new Map(answers.map(({ body, properties }) => [String(body['id']), { body, properties }]));
    expect(byId.size).toBe(images.length);
    const right = images.filter(
      (_, index) => labelOf(byId.get(`image ${index}`)?.body) === String(labels[index]),
    );
    expect(right.length / images.length).toBeGreaterThanOrEqual(0.97);
    for (const index of order) expect(byId.get(`image ${index}`)?.properties.correlationId).toBe(`c${index}`);
  });

  it('are those of a run of its own for each of many random inputs under concurrency', async () => {
    const [file] = ModelRepository.open('models', 'digits').all;
    const session = await OnnxSession.load(file as never);
    const inputs = Array.from({ length: 1500 }, () => Array.from({ length: 64 }, () => Math.random() * 16));
    const before = client.answers.length;
    inputs.forEach((data, index) => void client.send(scene.queue, { id: String(index), data }));
    const answers = (await client.received(before + inputs.length)).slice(before);
    for (const { body } of answers) {
      const { id, outputs } = body as unknown as V2Response;
      const scaled = Float32Array.from(inputs[Number(id)] as number[], (pixel) => pixel / 16);
      const [alone] = await session.run([{ tensors: [scaled], dims: [[64]] }]);
      const expected = alone?.tensors[0] as Float32Array;
      outputs[0]?.data.forEach((value, at) => expect(value).toBeCloseTo(expected[at] as number, 5));
    }
    expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(inputs.length);
    await session.release();
  });

  it('are V2 responses to the shorthand, persistent and typed, with what the requester sent echoed', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { body, properties } = await client.ask(
      scene.queue,
      { id: 'a', data: images[0] },
      { correlationId: 'c', messageId: 'm', headers: { traceparent } },
    );
    expect(body).toMatchObject({
      model_name: 'digits',
      model_version: '1',
      id: 'a',
      outputs: [{ name: 'probabilities', shape: [1, 10], datatype: 'FP32' }],
      parameters: { label: [String(labels[0])] },
    });
    expect(properties).toMatchObject({
      correlationId: 'c',
      deliveryMode: 2,
      contentType: 'application/json',
      type: 'inference.result',
      messageId: 'm.answer',
      headers: { traceparent },
    });
  });

  it('have one row for each row of a V2 request, flat or nested', async () => {
    const rows = images.slice(0, 5);
    for (const data of [rows.flat(), rows]) {
      const input = { name: 'image', shape: [5, 64], datatype: 'FP32', data };
      const { body } = await client.ask(scene.queue, { id: 'five', inputs: [input] });
      const { outputs, parameters } = body as unknown as V2Response;
      expect(outputs[0]?.shape).toEqual([5, 10]);
      expect(parameters.label).toEqual(labels.slice(0, 5).map(String));
    }
  });

  it("reach Nest's ClientProxy.send as they are, and its errors as errors", async () => {
    const answer = await lastValueFrom(nest.send<V2Response>('infer', { id: 'n', data: images[1] }));
    expect(answer).toMatchObject({
      id: 'n',
      model_name: 'digits',
      parameters: { label: [String(labels[1])] },
    });
    const failing = lastValueFrom(nest.send('infer', { id: 'n', data: [1, 2] }));
    await expect(failing).rejects.toMatchObject({ id: 'n', code: 'SHAPE_MISMATCH' });
  });

  it("go to RESULTS_QUEUE where nobody is named, as with Nest's ClientProxy.emit", async () => {
    await lastValueFrom(nest.emit('infer', { id: 'e', data: images[2] }));
    const { content, properties } = await client.take(results);
    expect(JSON.parse(content.toString())).toMatchObject({ response: { id: 'e' }, isDisposed: true });
    expect(properties.type).toBe('inference.result');
  });

  it('are given to compressed requests', async () => {
    const body = gzipSync(JSON.stringify({ id: 'z', data: images[3] }));
    const answer = await client.ask(scene.queue, body, { contentEncoding: 'gzip' });
    expect(labelOf(answer.body)).toBe(String(labels[3]));
  });

  it('leave the queue empty: every request is acknowledged', async () => {
    await client.ask(scene.queue, { data: images[0] });
    expect(await client.depth(scene.queue)).toBe(0);
    const { headers } = (await client.take(scene.deadLetterQueue)).properties;
    expect(headers).toMatchObject({ 'x-error-code': 'SHAPE_MISMATCH' }); // the one that ClientProxy sent wrong
    expect(await client.depth(scene.deadLetterQueue)).toBe(0);
  });
});
