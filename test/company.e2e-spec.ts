import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InferenceSession } from 'onnxruntime-node';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { type BrokerClient } from './support/broker-client.js';
import {
  BATCHABLE_MODELS,
  type Exchange,
  expectedExchanges,
  MIXING_MODELS_DIR,
} from './support/mixing-models.js';
import { Stage } from './support/stage.js';
import { areAlike, runAlone, type V2Tensor } from './support/v2-tensors.js';

const AT_ONCE = 50;
const TOLERANCE = 1e-5;

describe('a request beside fifty others', () => {
  const stage = new Stage();
  let worker: WorkerProcess;
  let client: BrokerClient;

  beforeAll(async () => {
    worker = await stage.worker({ MODELS_DIR: MIXING_MODELS_DIR });
    client = await stage.client();
  });

  afterAll(() => stage.clear());

  const ask = async (model: string, inputs: readonly V2Tensor[]) =>
    (await client.ask(stage.queue, { model, inputs })).body['outputs'] as V2Tensor[];

  it.each(Object.entries(expectedExchanges()))(
    'gets the answer that it gets alone from %s',
    async (model, exchanges) => {
      const many = Array.from(
        { length: AT_ONCE },
        (_, index) => exchanges[index % exchanges.length] as Exchange,
      );
      const answers = await Promise.all(many.map(({ inputs }) => ask(model, inputs)));
      for (const [index, { outputs }] of many.entries())
        expect({
          given: answers[index],
          isAlike: areAlike(answers[index] ?? [], outputs, TOLERANCE),
        }).toMatchObject({
          isAlike: true,
        });
    },
  );

  it('shares runs of those whose rows do not see each other, and no others', () => {
    const lines = worker.logs.filter(({ context }) => context === 'Models').map(({ msg }) => msg);
    for (const model of Object.keys(expectedExchanges()))
      expect(lines.find((line) => line.startsWith(`${model} `))).toContain(
        BATCHABLE_MODELS.includes(model) ? 'batches of up to' : 'one request a run',
      );
  });

  it('gets its digit from a dynamically quantised model, whatever pixels the others have', async () => {
    const session = await InferenceSession.create(`${MIXING_MODELS_DIR}/dynamic-digits/model.onnx`);
    const image = (index: number): V2Tensor => ({
      name: 'image',
      datatype: 'FP32',
      shape: [1, 64],
      data: Array.from({ length: 64 }, (_, pixel) =>
        index % 11 === 3 && pixel === 7 ? 1e6 : ((index * 7 + pixel * 13) % 17) / 16,
      ),
    });
    const images = Array.from({ length: 110 }, (_, index) => image(index));
    const answers = await Promise.all(images.map((one) => ask('dynamic-digits', [one])));
    for (const [index, one] of images.entries())
      expect(areAlike(answers[index] ?? [], await runAlone(session, [one]), TOLERANCE)).toBe(true);
    await session.release();
  });

  it('is never cut where its steps see each other, however many it has', async () => {
    const session = await InferenceSession.create(`${MIXING_MODELS_DIR}/time-first/model.onnx`);
    const data = Array.from({ length: 300 * 6 }, (_, index) => Math.sin(index));
    const steps: V2Tensor = { name: 'x', datatype: 'FP32', shape: [300, 1, 6], data };
    const answer = await ask('time-first', [steps]);
    expect(areAlike(answer, await runAlone(session, [steps]), TOLERANCE)).toBe(true);
    await session.release();
  });
});
