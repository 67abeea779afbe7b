import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_FOLDER, readTestSet } from '../../src/cli/test-set.js';
import { BenchModel, convolution, largeMlp, meanOf, slowConvolution } from './models/bench-models.js';
import { Workloads } from './suites.js';
import { BATCH_SIZE } from './suites/models.suite.js';
import { BODY_FLOATS } from './suites/sweeps.suite.js';
import { Workload } from './workload.js';

/** Opens every workload; the models that are made for it lie in a temporary folder until `remove`. */
export async function openWorkloads(): Promise<Workloads & { remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'onnxmq-bench-'));
  const open = ({ modelsDir, name, rows }: BenchModel, perMessage?: number) =>
    Workload.open(modelsDir, name, rows, perMessage);
  const mlp = largeMlp(folder);
  const means: Workload[] = [];
  for (const floats of BODY_FLOATS) means.push(await open(meanOf(folder, floats)));
  return {
    digits: await Workload.open(`${PROJECT_FOLDER}models`, 'digits', readTestSet().images),
    mlp: await open(mlp),
    mlpInBatches: await open(mlp, BATCH_SIZE),
    convolution: await open(convolution(folder)),
    slow: await open(slowConvolution(folder)),
    means,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
