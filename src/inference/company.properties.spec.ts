import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { InferenceSession } from 'onnxruntime-node';
import { RandomGraph, randomGraph, randomRequests } from '../../test/support/random-graphs.js';
import { areAlike, runAlone, V2Tensor } from '../../test/support/v2-tensors.js';
import { readSettings } from '../config/settings.js';
import { Activity } from '../metrics/activity.js';
import { CapacityPlan } from '../models/capacity.js';
import { ModelRepository } from '../models/model.repository.js';
import { encodeResult } from '../protocol/answer.encoder.js';
import { rowsOf } from '../protocol/rows.js';
import { InferenceError } from './inference.errors.js';
import { InferenceService } from './inference.service.js';

/** More of them: `GRAPHS=2000 npm run jest -- --selectProjects unit --testPathPatterns company.properties` */
const GRAPHS = Number(process.env['GRAPHS'] ?? 400);
const FIRST_SEED = Number(process.env['SEED'] ?? 1);
const AT_ONCE = 100;
const REQUESTS = 24;
/** Sums of other orders, through five steps. */
const TOLERANCE = 1e-3;

describe('requests to random models', () => {
  let folder: string;
  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnxmq-graphs-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const seeds = Array.from({ length: GRAPHS / AT_ONCE }, (_, index) => FIRST_SEED + index * AT_ONCE);

  it.each(seeds)(
    'get in company what they get alone, or are refused: graphs %i and the 99 after it',
    async (first) => {
      const graphs = new Map<string, RandomGraph>();
      for (let seed = first; seed < first + AT_ONCE; seed++) {
        graphs.set(`g${seed}`, randomGraph(seed));
        mkdirSync(join(folder, `g${seed}`));
        writeFileSync(join(folder, `g${seed}`, 'model.onnx'), randomGraph(seed).bytes);
      }
      const settings = readSettings({ BATCH_MAX_SIZE: '8', INFERENCE_THREADS: '0' });
      const repository = ModelRepository.open(folder);
      const service = new InferenceService(
        settings,
        repository,
        new Activity(),
        new CapacityPlan(settings, repository.all),
      );
      await service.start();
      const differences: string[] = [];
      for (const [name, graph] of graphs) {
        const requests = randomRequests(name, graph, REQUESTS);
        const inCompany = await Promise.all(requests.map((inputs) => outputsOf(service, name, inputs)));
        const session = await InferenceSession.create(join(folder, name, 'model.onnx'), {
          logSeverityLevel: 4,
        });
        for (const [index, inputs] of requests.entries()) {
          const given = inCompany[index];
          const alone = await runAlone(session, inputs).catch((error: Error) => error);
          const isRight =
            given instanceof Error || alone instanceof Error
              ? given instanceof InferenceError && (alone instanceof Error || given.code === 'SHAPE_MISMATCH')
              : areAlike(given ?? [], alone, TOLERANCE);
          if (!isRight)
            differences.push(
              `${name} ${graph.describe}: ${JSON.stringify({ inputs, given: given instanceof Error ? given.message : given, alone: alone instanceof Error ? alone.message : alone })}`,
            );
        }
        await session.release();
      }
      await service.release();
      expect(differences).toEqual([]);
    },
  );
});

async function outputsOf(
  service: InferenceService,
  name: string,
  inputs: readonly V2Tensor[],
): Promise<V2Tensor[] | Error> {
  try {
    const model = service.model(name);
    const rows = rowsOf({ input: { form: 'tensors', tensors: inputs } }, model.signature);
    const json = encodeResult({}, model, await service.infer(model, rows)) as string;
    return (JSON.parse(json) as { outputs: V2Tensor[] }).outputs;
  } catch (error) {
    return error as Error;
  }
}
