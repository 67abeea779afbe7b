import { describe, expect, it } from '@jest/globals';
import { BATCHABLE_MODELS, expectedExchanges, MIXING_MODELS_DIR } from '../../test/support/mixing-models.js';
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
});
