import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { oneRow } from '../../test/support/rows.js';
import { Rows } from '../protocol/rows.js';
import { cut, joined, runTogether } from './batch.js';
import { modelConfigSchema } from './model-config.js';
import { OnnxSession } from './onnx.session.js';
import { Batch } from './session.js';

const DIGITS = fileURLToPath(new URL('../../models/digits/model.onnx', import.meta.url));

const load = (path: string) =>
  OnnxSession.load({ name: 'digits', version: '1', path, config: modelConfigSchema.parse({}) });
const rowOf = (pixels: Iterable<number>): Rows => oneRow(Float32Array.from(pixels));

describe('OnnxSession', () => {
  let session: OnnxSession;
  beforeAll(async () => {
    session = await load(DIGITS);
  });
  afterAll(() => session.release());

  it('reads names, datatypes, shapes and the batch dimension from the model', () => {
    const { name, inputs, outputs, hasOpenRows } = session.signature;
    expect({ name, hasOpenRows }).toEqual({ name: 'digits', hasOpenRows: true });
    expect(inputs).toEqual([{ name: expect.any(String), datatype: 'FP32', shape: [expect.any(String), 64] }]);
    expect(outputs.at(-1)).toEqual({
      name: expect.any(String),
      datatype: 'FP32',
      shape: [expect.any(String), 10],
    });
  });

  it('gives each row what it gets alone, however many requests share a batch, each of however many rows', async () => {
    const pixel = fc.float({ min: 0, max: 1, noNaN: true });
    const image = fc.array(pixel, { minLength: 64, maxLength: 64 });
    const request = fc.array(image, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 4 }), async (requests) => {
        const rows = requests.map((images) => joined(images.map(rowOf), session.signature.inputs));
        const together = await runTogether(session, rows);
        expect(together.map(({ count }) => count)).toEqual(requests.map(({ length }) => length));
        for (const [index, outputs] of together.entries())
          for (const [row, own] of cut(outputs, 1).entries()) {
            const [alone] = await runTogether(session, [rowOf(requests[index]?.[row] ?? [])]);
            expect(own.dims).toEqual(alone?.dims);
            const [got, expected] = [own, alone as Rows].map((one) =>
              joined([one], session.signature.outputs),
            );
            expected?.tensors.forEach((values, output) => {
              const numbers = got?.tensors[output] as Float32Array;
              expect(numbers).toHaveLength(values.length);
              for (const [at, value] of values.entries()) expect(numbers[at]).toBeCloseTo(Number(value), 5);
            });
          }
      }),
      { numRuns: 20 },
    );
  });

  it('leaves the rows that it is given unchanged', async () => {
    const rows = [rowOf(Array(64).fill(0.5)), rowOf(Array(64).fill(0.25))];
    await runTogether(session, rows);
    expect(rows).toEqual([rowOf(Array(64).fill(0.5)), rowOf(Array(64).fill(0.25))]);
  });

  it('rejects rows that the model cannot take, and runs the next', async () => {
    await expect(runTogether(session, [oneRow(Float32Array.of(1, 2))])).rejects.toThrow();
    expect(await runTogether(session, [rowOf(Array(64).fill(0))])).toHaveLength(1);
  });

  it('uses its rows up no more when one is alone than when there are several', async () => {
    const row = rowOf(Array(64).fill(0.5));
    expect(
      await runTogether({ signature: session.signature, parallelism: 1, run: using }, [row]),
    ).toHaveLength(1);
    expect(row).toEqual(rowOf(Array(64).fill(0.5)));

    async function using(batch: Batch): Promise<Batch> {
      const outputs = await session.run(batch);
      for (const data of batch.tensors) (data as Float32Array).fill(-1);
      return outputs;
    }
  });

  it('turns telemetry off before ONNX Runtime can send any', () => {
    expect(process.env['ORT_DISABLE_TELEMETRY']).toBe('1');
  });

  describe('a file that is no model', () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'onnxmq-session-'));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true });
    });

    it.each([
      ['broken', 'this is no model'],
      ['empty', ''],
    ])('is refused when it is %s', async (name, content) => {
      const path = join(folder, `${name}.onnx`);
      writeFileSync(path, content);
      await expect(load(path)).rejects.toThrow();
    });

    it('is refused when it is missing', async () => {
      await expect(load(join(folder, 'missing.onnx'))).rejects.toThrow();
    });
  });
});
