import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualDelays } from '../../test/support/manual-delays.js';
import { oneRow } from '../../test/support/rows.js';
import { readSettings } from '../config/settings.js';
import { modelConfigSchema } from '../models/model-config.js';
import { InferenceRequest, SPENT } from '../protocol/inference-request.js';
import { PreprocessService } from './preprocess.service.js';
import { PreprocessModel } from './preprocessor.js';

const delays = new ManualDelays();

const row = (data: unknown) => ({ input: { form: 'row', data } as const });

function modelWith(preprocess: object): PreprocessModel {
  const inputs = [{ name: 'x', datatype: 'FP32', shape: ['batch', 2] } as const];
  return {
    name: 'm',
    config: modelConfigSchema.parse({ preprocess }),
    signature: { name: 'm', inputs, outputs: [], hasOpenRows: true, mayBatch: true },
  };
}

const service = (env = {}) => new PreprocessService(readSettings(env));

describe('PreprocessService', () => {
  beforeEach(() => {
    expect(delays.running).toBe(0);
  });

  it('gives the rows of the request, transformed as model.json says', async () => {
    const rows = await service().prepare(row([1, 2]), modelWith({ scale: 2, mean: 1 }));
    expect(rows).toEqual(oneRow(Float32Array.of(1, 3)));
  });

  it('waits as long as the model’s I/O takes', async () => {
    const rows = service().prepare(row([1, 2]), modelWith({ ioDelayMs: 50 }));
    expect(await delays.end()).toBe(50);
    expect(await rows).toEqual(oneRow(Float32Array.of(1, 2)));
  });

  it('waits as PREPROCESS_IO_DELAY_MS says where it is set, for 0 not at all', async () => {
    const model = modelWith({ ioDelayMs: 50 });
    const rows = service({ PREPROCESS_IO_DELAY_MS: '7' }).prepare(row([1, 2]), model);
    expect(await delays.end()).toBe(7);
    await rows;
    await service({ PREPROCESS_IO_DELAY_MS: '0' }).prepare(row([1, 2]), model);
  });

  it('refuses what does not fit the model before it waits', async () => {
    const refused = service().prepare(row([1, 2, 3]), modelWith({ ioDelayMs: 50 }));
    await expect(refused).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    expect(delays.running).toBe(0);
  });

  it('holds neither the numbers nor the JSON of the request while it waits', async () => {
    const request: InferenceRequest = { ...row([1, 2]), json: Buffer.from('{"data":[1,2]}') };
    const prepared = service().prepare(request, modelWith({ ioDelayMs: 50 }));
    expect(request).toEqual({ input: SPENT });
    await delays.end();
    await prepared;
  });

  it('waits for many requests at the same time', async () => {
    const model = modelWith({ ioDelayMs: 50 });
    const prepared = [1, 2, 3].map((value) => service().prepare(row([value, 0]), model));
    expect(delays.running).toBe(3);
    for (let i = 0; i < 3; i++) await delays.end();
    const rows = await Promise.all(prepared);
    expect(rows.map(({ tensors }) => tensors[0]?.[0])).toEqual([1, 2, 3]);
  });
});
