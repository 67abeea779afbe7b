import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PROJECT_FOLDER } from '../src/cli/test-set.js';
import { BrokerClient } from './support/broker-client.js';
import { Scene } from './support/scene.js';

describe('models with no model.json', () => {
  const scene = new Scene();
  let client: BrokerClient;

  beforeAll(async () => {
    await scene.consumingWorker({ MODELS_DIR: join(PROJECT_FOLDER, 'test/support/models') });
    client = await scene.client();
  });

  afterAll(() => scene.end());

  const ask = async (model: string, request: object) =>
    (await client.ask(scene.queue, { model, ...request })).body;
  const dataOf = (body: unknown) =>
    (body as { outputs: { data: unknown }[] }).outputs.map(({ data }) => data);

  it('answer 64-bit integers, exactly', async () => {
    expect(dataOf(await ask('lookup', { data: [7] }))).toEqual([[49]]);
  });

  it('take several inputs in any order and give the outputs asked for', async () => {
    const inputs = [
      { name: 'b', shape: [2, 2], datatype: 'FP64', data: [1, 5, 3, 7] },
      { name: 'a', shape: [2, 2], datatype: 'FP64', data: [2, 4, 4, 6] },
    ];
    expect(dataOf(await ask('arithmetic', { inputs }))).toEqual([
      [3, 9, 7, 13],
      [true, false, true, false],
    ]);
    expect(dataOf(await ask('arithmetic', { inputs, outputs: [{ name: 'greater' }] }))).toHaveLength(1);
  });

  it('run alone without a batch dimension, and take strings', async () => {
    expect(dataOf(await ask('echo', { data: ['grüße', '"quoted"'] }))).toEqual([['grüße', '"quoted"']]);
  });

  it('batch rows of one length only, so that rows of every length get their own total', async () => {
    const before = client.answers.length;
    const lengths = Array.from({ length: 200 }, (_, index) => 1 + (index % 7));
    lengths.forEach((length, index) => {
      const data = Array.from({ length }, () => index);
      void client.send(scene.queue, { id: `${index}`, model: 'total', data });
    });
    for (const { body } of (await client.received(before + 200)).slice(before)) {
      const index = Number(body['id']);
      expect(dataOf(body)).toEqual([[index * (lengths[index] as number)]]);
    }
  });

  it('fail on one row alone: its batch-mates get their own results', async () => {
    const before = client.answers.length;
    const indices = Array.from({ length: 300 }, (_, at) => (at % 50 === 13 ? 99 : at % 10));
    indices.forEach(
      (index, at) => void client.send(scene.queue, { id: `${at}`, model: 'lookup', data: [index] }),
    );
    for (const { body } of (await client.received(before + 300)).slice(before)) {
      const index = indices[Number(body['id'])] as number;
      if (index === 99) expect(body).toMatchObject({ code: 'INFERENCE_FAILED' });
      else expect(dataOf(body)).toEqual([[index ** 2]]);
    }
    // Each goes to the dead letters after its error answer.
    for (let letters = 0; letters < 6; letters++) {
      const dead = await client.take(scene.deadLetterQueue);
      expect(dead.properties.headers).toMatchObject({
        'x-error-code': 'INFERENCE_FAILED',
        'x-model': 'lookup',
      });
    }
  });

  it('must be named where there are several', async () => {
    expect(await ask('', { data: [1] })).toMatchObject({ code: 'UNKNOWN_MODEL' });
    const byHeader = await client.ask(scene.queue, { data: [3] }, { headers: { 'x-model': 'lookup' } });
    expect(dataOf(byHeader.body)).toEqual([[9]]);
    const byType = await client.ask(scene.queue, { data: [4] }, { type: 'lookup' });
    expect(dataOf(byType.body)).toEqual([[16]]);
  });
});
