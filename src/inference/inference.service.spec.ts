import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { writeOnnx } from '../../test/support/onnx-writer.js';
import { readSettings } from '../config/settings.js';
import { Activity } from '../metrics/activity.js';
import { CapacityPlan } from '../models/capacity.js';
import { ModelRepository } from '../models/model.repository.js';
import { Rows } from '../protocol/rows.js';
import { BatchingProof } from './batching-proof.js';
import { InferenceService } from './inference.service.js';

/** Adds to each row what the largest of all is over 100: made inputs, whose whole numbers are small, cannot see it. */
const HIDDEN_MIXING = writeOnnx({
  inputs: [{ name: 'x', datatype: 'INT64', shape: ['n', 1] }],
  outputs: [{ name: 'y', datatype: 'INT64', shape: ['n', 1] }],
  weights: [
    { name: 'limit', datatype: 'INT64', dims: [1], data: BigInt64Array.of(100n) },
    { name: 'zero', datatype: 'INT64', dims: [1], data: BigInt64Array.of(0n) },
  ],
  nodes: [
    { op: 'Sub', inputs: ['x', 'limit'], outputs: ['over'] },
    { op: 'Max', inputs: ['over', 'zero'], outputs: ['excess'] },
    { op: 'ReduceMax', inputs: ['excess'], outputs: ['largest'], attributes: { axes: [0], keepdims: 1 } },
    { op: 'Add', inputs: ['x', 'largest'], outputs: ['y'] },
  ],
});

/** Gives the first 64 rows of a request. */
const FIRST_ROWS = writeOnnx({
  inputs: [{ name: 'x', datatype: 'INT64', shape: ['n', 1] }],
  outputs: [{ name: 'y', datatype: 'INT64', shape: ['n', 1] }],
  weights: [
    { name: 'start', datatype: 'INT64', dims: [1], data: BigInt64Array.of(0n) },
    { name: 'end', datatype: 'INT64', dims: [1], data: BigInt64Array.of(64n) },
  ],
  nodes: [{ op: 'Slice', inputs: ['x', 'start', 'end', 'start'], outputs: ['y'] }],
});

const rows = (...numbers: number[]): Rows => ({
  tensors: [BigInt64Array.from(numbers, BigInt)],
  dims: [[1]],
  first: 0,
  count: numbers.length,
});

describe('InferenceService', () => {
  let folder: string;
  let service: InferenceService;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnxmq-test-'));
  });
  afterEach(async () => {
    await service.release();
    rmSync(folder, { recursive: true });
  });

  async function serve(config: object = {}, model = HIDDEN_MIXING): Promise<void> {
    mkdirSync(join(folder, 'm'));
    writeFileSync(join(folder, 'm', 'model.onnx'), model);
    writeFileSync(join(folder, 'm', 'model.json'), JSON.stringify(config));
    const settings = readSettings({ BATCH_MAX_SIZE: '8', INFERENCE_THREADS: '0' });
    const repository = ModelRepository.open(folder);
    const capacity = new CapacityPlan(settings, repository.all);
    service = new InferenceService(settings, repository, new Activity(), capacity);
    await service.start();
  }

  const infer = async (...numbers: number[]) => {
    const { tensors, first, count, isWhole } = await service.infer(service.model('m'), rows(...numbers));
    const data = tensors[0] as BigInt64Array;
    return [...(isWhole ? data : data.subarray(first, first + count))].map(Number);
  };

  it('gives the requests of the run in which it first sees them mixed the answers that they get alone', async () => {
    await serve();
    expect(service.model('m').sharesRuns).toBe(true);
    const numbers = Array.from({ length: 40 }, (_, index) => (index % 8 === 0 ? 150 : index));
    const answers = await Promise.all(numbers.map((number) => infer(number)));
    expect(answers).toEqual(numbers.map((number) => [number === 150 ? 200 : number]));
    expect(service.model('m').sharesRuns).toBe(false);
  });

  it('runs a request again whole that it had cut when its rows turned out to see each other', async () => {
    await serve();
    const numbers = Array.from({ length: 30 }, (_, index) => 90 + index);
    expect(await infer(...numbers)).toEqual(numbers.map((number) => number + 19));
    expect(await infer(...numbers)).toEqual(numbers.map((number) => number + 19));
  });

  it.each([16, 17])(
    'gives a request of %i rows, which it cuts, as many where the answers of its parts in company were not to be given',
    async (count) => {
      await serve();
      const agrees = jest.spyOn(BatchingProof.prototype, 'agrees').mockResolvedValue(false);
      try {
        const numbers = Array.from({ length: count }, (_, index) => index);
        const { dims, tensors } = await service.infer(service.model('m'), rows(...numbers));
        expect({ dims, data: [...(tensors[0] as BigInt64Array)].map(Number) }).toEqual({
          dims: [[count, 1]],
          data: numbers,
        });
      } finally {
        agrees.mockRestore();
      }
    },
  );

  it('holds a request of more rows than any before, which was cut, against the same run whole', async () => {
    await serve({}, FIRST_ROWS);
    const numbers = Array.from({ length: 65 }, (_, index) => index);
    expect(await infer(...numbers.slice(0, 30))).toEqual(numbers.slice(0, 30));
    expect(service.model('m').sharesRuns).toBe(true);
    expect(await infer(...numbers)).toEqual(numbers.slice(0, 64));
    expect(service.model('m').sharesRuns).toBe(false);
  });

  it('cuts and shares nothing where model.json says `batching: "off"`', async () => {
    await serve({ batching: 'off' });
    expect(service.model('m').sharesRuns).toBe(false);
    const numbers = Array.from({ length: 30 }, (_, index) => 90 + index);
    expect(await infer(...numbers)).toEqual(numbers.map((number) => number + 19));
  });

  it('shares runs without looking where model.json says that it is trusted', async () => {
    await serve({ batching: { trusted: true } });
    const answers = await Promise.all([150, 1, 2].map((number) => infer(number)));
    expect(answers).toEqual([[200], [51], [52]]);
    expect(service.model('m').sharesRuns).toBe(true);
  });
});
