import { describe, expect, it } from '@jest/globals';
import { InferenceSession } from 'onnxruntime-node';
import { BATCHABLE_MODELS, Exchange, expectedExchanges, MIXING_MODELS_DIR } from './mixing-models.js';
import { areAlike, inCompany, rowsOf, runAlone, V2Tensor } from './v2-tensors.js';

const TOLERANCE = 1e-5;

const session = (model: string) =>
  InferenceSession.create(`${MIXING_MODELS_DIR}/${model}/model.onnx`, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });

/** Requests that could share a run, judged by their shapes: the first with any other. */
function pairs([first, ...others]: readonly Exchange[]): [Exchange, Exchange][] {
  const rowShape = ({ inputs }: Exchange) => JSON.stringify(inputs.map(({ shape }) => shape.slice(1)));
  const all = [first as Exchange, ...others];
  return all.flatMap((one, index) =>
    all
      .slice(index + 1)
      .filter((other) => rowShape(one) === rowShape(other))
      .map((other): [Exchange, Exchange] => [one, other]),
  );
}

/** What each of two requests would be given of the run that they share. */
function shares(outputs: readonly V2Tensor[], of: readonly Exchange[]): V2Tensor[][] {
  let from = 0;
  return of.map(({ inputs }) => {
    const to = from + (inputs[0]?.shape[0] ?? 0);
    const share = outputs.map((output) => rowsOf(output, from, to));
    from = to;
    return share;
  });
}

describe('the models that mix rows, or look so', () => {
  it.each(Object.entries(expectedExchanges()))('%s gives what Python gives', async (model, exchanges) => {
    const loaded = await session(model);
    for (const { inputs, outputs } of exchanges) {
      const given = await runAlone(loaded, inputs);
      expect({ given, isAlike: areAlike(given, outputs, TOLERANCE) }).toMatchObject({ isAlike: true });
    }
    await loaded.release();
  });

  it.each(Object.entries(expectedExchanges()).filter(([model]) => model !== 'resize' && model !== 'nms'))(
    '%s gives the same in company only if it is said to be batchable',
    async (model, exchanges) => {
      const loaded = await session(model);
      const same = await Promise.all(
        pairs(exchanges).map(async (pair) => {
          const together = await runAlone(loaded, inCompany(pair.map(({ inputs }) => inputs)));
          return shares(together, pair).every((share, index) =>
            areAlike(share, pair[index]?.outputs ?? [], TOLERANCE),
          );
        }),
      );
      expect(same.length).toBeGreaterThan(0);
      expect(same.every(Boolean)).toBe(BATCHABLE_MODELS.includes(model));
      await loaded.release();
    },
  );
});
