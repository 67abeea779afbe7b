import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { PROJECT_FOLDER, readTestSet } from '../../src/cli/test-set.js';
import { WorkerProcess } from '../../src/cli/worker-process.js';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';
import { MODEL_FOLDERS, ModelFolder } from './model-folders.js';
import { OddRequest, OddRequests } from './odd-requests/odd-requests.js';

const scratch = mkdtempSync(join(tmpdir(), 'onnxmq-models-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const served = join(scratch, 'served');
const modelFile = join(served, 'digits', 'model.onnx');

const data = readTestSet().images[0] as number[];
const strangers = new OddRequests(
  ['letters', 'digits/2', '../digits', '__proto__', 'digits\0'].map((model): OddRequest => ({
    oddity: `the model ${model}`,
    body: { model, data },
    code: 'UNKNOWN_MODEL',
  })),
);

/** No hash of the file is to be seen anywhere, so that the answers have to show that the session is the old one. */
fault(25, 'the model file is damaged, swapped and deleted under a worker that runs', {
  breaks: 0,
  readiness: 'stays',
  env: { MODELS_DIR: served },
  prepare: () => {
    rmSync(served, { recursive: true, force: true });
    cpSync(join(PROJECT_FOLDER, 'models'), served, { recursive: true });
    return Promise.resolve();
  },
  inject: async (lab) => {
    truncateSync(modelFile, 1_000);
    await goesOn(lab);
    writeFileSync(`${modelFile}.new`, 'another model');
    renameSync(`${modelFile}.new`, modelFile);
    await goesOn(lab);
    rmSync(modelFile);
    await goesOn(lab);
    await strangers.send(lab);
  },
  check: (lab) => strangers.check(lab),
});

fault(25, 'another worker is started on models that cannot be served', {
  breaks: 0,
  readiness: 'stays',
  inject: async (lab) => {
    for (const folder of MODEL_FOLDERS) await startOn(lab, folder, mkdtempSync(join(scratch, 'odd-')));
  },
});

/** Another quarter thousand requests are answered. */
async function goesOn({ load }: FaultLab): Promise<void> {
  await load.answered(load.ledger.ok + 250);
}

async function startOn(
  lab: FaultLab,
  { oddity, fill, refusal }: ModelFolder,
  modelsDir: string,
): Promise<void> {
  const folder = join(modelsDir, 'digits');
  mkdirSync(folder, { recursive: true });
  fill(folder);
  const startedAt = performance.now();
  const worker = new WorkerProcess({
    RABBITMQ_URL: lab.broker.url,
    REQUEST_QUEUE: 'faults.other',
    MODELS_DIR: modelsDir,
  });
  const exitCode = await Promise.race([
    worker.ended(),
    worker.consuming().then(
      () => undefined,
      () => worker.ended(),
    ),
  ]);
  if (exitCode === undefined) await worker.stop();
  else noteMs(lab, 'slowest refusal ms', performance.now() - startedAt);
  lab.expect(
    exitCode === refusal?.exitCode,
    `${oddity}: exit code ${exitCode} instead of ${refusal?.exitCode}`,
  );
  const says = refusal?.says ?? /^$/;
  lab.expect(says.test(worker.errors), `${oddity}: it says ${JSON.stringify(worker.errors)}`);
}

function noteMs({ figures }: FaultLab, figure: string, ms: number): void {
  figures[figure] = Math.max(figures[figure] ?? 0, ms);
}
