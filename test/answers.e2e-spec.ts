import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import { WorkerProcess } from '../src/cli/worker-process.js';
import { BROKER_URL, BrokerClient } from './support/broker-client.js';

describe('answers', () => {
  const queue = `test.${randomUUID()}`;
  const { images, labels } = readTestSet();
  let worker: WorkerProcess;
  let client: BrokerClient;

  beforeAll(async () => {
    worker = new WorkerProcess({
      RABBITMQ_URL: BROKER_URL,
      REQUEST_QUEUE: queue,
      PREPROCESS_IO_DELAY_MS: '1',
    });
    await worker.consuming();
    client = await BrokerClient.open();
  });

  afterAll(async () => {
    await worker.stop();
    await client.close(queue, `${queue}.dead`);
  });

  it('answers the shorthand with a V2 response', async () => {
    const { body, properties } = await client.ask(
      queue,
      { id: 'a', data: images[0] },
      { correlationId: 'c' },
    );
    expect(body).toMatchObject({
      model_name: 'digits',
      model_version: '1',
      id: 'a',
      outputs: [{ name: 'probabilities', shape: [1, 10], datatype: 'FP32' }],
      parameters: { label: [String(labels[0])] },
    });
    expect(properties).toMatchObject({ correlationId: 'c', deliveryMode: 2, type: 'inference.result' });
  });
});
