import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { BATCHABLE_MODELS, expectedExchanges, MIXING_MODELS_DIR } from '../../test/support/mixing-models.js';
import { Graph, writeOnnx } from '../../test/support/onnx-writer.js';
import { tryBatching } from './batching-trial.js';
import { modelConfigSchema } from './model-config.js';
import { OnnxSession } from './onnx.session.js';

const NAMES = Object.keys(expectedExchanges());
const MIXING = NAMES.filter((name) => !BATCHABLE_MODELS.includes(name));

async function findingOf(path: string) {
  const config = modelConfigSchema.parse({});
  const session = await OnnxSession.load({ name: 'm', version: '1', path, config });
  const { finding, sample } = await tryBatching(session);
  await session.release();
  return { finding, sample };
}

/** Of rows of one whole number or float. */
function modelOf(datatype: 'FP32' | 'INT64', nodes: Graph['nodes'], weights: Graph['weights'] = []): Graph {
  const shape = ['n', 1];
  return {
    inputs: [{ name: 'x', datatype, shape }],
    outputs: [{ name: 'y', datatype, shape }],
    nodes,
    weights,
  };
}

const RANDOM = modelOf('FP32', [
  { op: 'RandomNormalLike', inputs: ['x'], outputs: ['noise'] },
  { op: 'Add', inputs: ['x', 'noise'], outputs: ['y'] },
]);

/** Adds to each row what the largest of all is over 10. */
const MIXING_IDS = modelOf(
  'INT64',
  [
    { op: 'Sub', inputs: ['x', 'limit'], outputs: ['over'] },
    { op: 'Max', inputs: ['over', 'zero'], outputs: ['excess'] },
    { op: 'ReduceMax', inputs: ['excess'], outputs: ['largest'], attributes: { axes: [0], keepdims: 1 } },
    { op: 'Add', inputs: ['x', 'largest'], outputs: ['y'] },
  ],
  [
    { name: 'limit', datatype: 'INT64', dims: [1], data: BigInt64Array.of(10n) },
    { name: 'zero', datatype: 'INT64', dims: [1], data: BigInt64Array.of(0n) },
  ],
);

async function findingOfGraph(graph: Graph) {
  const folder = mkdtempSync(join(tmpdir(), 'onnxmq-test-'));
  try {
    writeFileSync(join(folder, 'model.onnx'), writeOnnx(graph));
    return (await findingOf(join(folder, 'model.onnx'))).finding;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('trying whether rows can share a run', () => {
  it.each(BATCHABLE_MODELS)('proves it of %s, whose rows do not see each other', async (name) => {
    const { finding } = await findingOf(`${MIXING_MODELS_DIR}/${name}/model.onnx`);
    expect(finding).toEqual({ verdict: 'proved' });
  });

  it.each(MIXING)('refutes it of %s, whose rows see each other or are none', async (name) => {
    const { finding } = await findingOf(`${MIXING_MODELS_DIR}/${name}/model.onnx`);
    expect(finding).toMatchObject({ verdict: 'refuted', reason: expect.any(String) });
  });

  it.each([
    'models/digits',
    'test/support/models/echo',
    'test/support/models/mean',
    'test/support/models/pair',
  ])('proves it of %s', async (folder) => {
    expect((await findingOf(`${folder}/model.onnx`)).finding).toEqual({ verdict: 'proved' });
  });

  it('refutes it of a model that gives other answers to the same input each time', async () => {
    expect(await findingOfGraph(RANDOM)).toMatchObject({
      verdict: 'refuted',
      reason: expect.stringContaining('each time'),
    });
  });

  it('refutes it of a model whose rows see each other’s ids only where these are larger than a few', async () => {
    expect(await findingOfGraph(MIXING_IDS)).toMatchObject({ verdict: 'refuted' });
  });
});
