/** `npm run real-models`: sends requests to models that packages ship, and compares the answers with Python's. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { findBroker } from '../../src/cli/find-broker.js';
import { positiveInteger } from '../../src/cli/options.js';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { ModelRun, playModel } from './model-run.js';

/** Of a model's wrong answers, so many are shown. */
const MOST_PROBLEMS = 3;

interface Options {
  readonly folder: string;
  readonly rounds: number;
  readonly tolerance: number;
}

const command = new Command('npm run real-models --')
  .description(
    'Installs Python packages that ship ONNX models into a virtual environment, records what ONNX Runtime for Python gives ' +
      'for 50 requests to each, sends them all at once to a worker, and compares the answers. Needs Python 3.11 or newer.',
  )
  .argument('[models...]', 'the models to take, by name; default: all')
  .option(
    '--folder <path>',
    'where environment and recordings are kept',
    join(tmpdir(), 'onnxmq-real-models'),
  )
  .option('--rounds <count>', 'how often all requests are sent', positiveInteger, 2)
  .option('--tolerance <number>', 'largest difference, absolute or relative, whichever is less', Number, 1e-3)
  .addHelpText('after', '\nThe broker: RABBITMQ_URL, else Docker, else a private rabbitmq-server.')
  .showHelpAfterError()
  .parse();

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupt.abort());
const { signal } = interrupt;

const { folder, rounds, tolerance } = command.opts<Options>();
process.exitCode = await main(resolve(folder), command.args);

async function main(home: string, names: readonly string[]): Promise<number> {
  const script = join(PROJECT_FOLDER, 'test/real-models/prepare.py');
  if (spawnSync('python3', [script, home], { stdio: 'inherit' }).status !== 0) return 1;
  const recordings = join(home, 'recordings');
  const models = names.length > 0 ? names : readdirSync(recordings).toSorted();
  const broker = await findBroker((line) => console.log(`  broker  ${line}`), signal);
  console.log(`  broker  ${broker.description}`);
  try {
    let wrong = 0;
    for (const model of models) {
      wrong += await play(recordings, model, broker.url);
      if (signal.aborted) return 130;
    }
    console.log(`\n  ${models.length - wrong} of ${models.length} models answer as Python does`);
    return wrong > 0 ? 1 : 0;
  } finally {
    await broker.stop();
  }
}

/** @returns 1 where anything is wrong */
async function play(recordings: string, model: string, url: string): Promise<0 | 1> {
  const run = await playModel(join(recordings, model), url, { rounds, tolerance, signal }).catch(
    (error: Error) => error,
  );
  if (run instanceof Error) {
    console.log(`  ${model.padEnd(24)}  ${run.message}`);
    return 1;
  }
  console.log(`  ${model.padEnd(24)}  ${lineOf(run)}`);
  for (const problem of run.problems.slice(0, MOST_PROBLEMS)) console.log(`    ${problem}`);
  return run.problems.length > 0 ? 1 : 0;
}

function lineOf({ requests, runs, maxDifference, seconds, problems }: ModelRun): string {
  const batching = runs < requests ? 'batched' : 'alone';
  return [
    `${batching.padEnd(8)} ${String(runs).padStart(4)} runs for ${requests} requests`,
    `max difference ${maxDifference.toExponential(1)}`.padEnd(24),
    `${seconds.toFixed(1).padStart(5)} s`,
    problems.length > 0 ? `WRONG: ${problems.length} answers` : 'right',
  ].join('  ');
}
