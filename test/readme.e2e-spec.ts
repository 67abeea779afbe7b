import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PROJECT_FOLDER, readTestSet } from '../src/cli/test-set.js';
import { WorkerProcess } from '../src/cli/worker-process.js';
import { BROKER_URL, BrokerClient } from './support/broker-client.js';

const run = promisify(execFile);

describe('the README', () => {
  const queue = `test.${randomUUID()}`;
  const readme = readFileSync(join(PROJECT_FOLDER, 'README.md'), 'utf8');
  const label = String(readTestSet().labels[0]);
  let worker: WorkerProcess;

  beforeAll(async () => {
    worker = new WorkerProcess({ RABBITMQ_URL: BROKER_URL, REQUEST_QUEUE: queue, RETRY_DELAYS_MS: 'none' });
    await worker.consuming();
  });

  afterAll(async () => {
    await worker.stop();
    await (await BrokerClient.open()).close(queue, `${queue}.dead`);
  });

  it("has a Nest example that runs as it stands and gets the image's label", async () => {
    const { stdout } = await runExample('js', process.execPath, 'mjs');
    expect(stdout).toMatch(new RegExp(`^a \\{ label: \\[ '${label}' \\], score: \\[ 0\\.\\d+ \\] \\}`, 'm'));
  });

  // Python is no part of the project: where it has pika (CI installs it), the example is run.
  const python = ['python3', '/usr/bin/python3'].find(hasPika);
  if (python)
    it("has a pika example that runs as it stands and gets the image's label", async () => {
      const { stdout } = await runExample('python', python, 'py');
      expect(stdout).toMatch(new RegExp(`^1 \\{'label': \\['${label}'\\], 'score': \\[0\\.\\d+\\]\\}`));
    });

  /** Runs the first code block of a language, in the project's folder, as the README has it. */
  async function runExample(
    language: string,
    interpreter: string,
    extension: string,
  ): Promise<{ stdout: string }> {
    const code = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(readme)?.[1] ?? '';
    const file = join(PROJECT_FOLDER, 'dist', `readme-example.${extension}`);
    writeFileSync(file, code);
    try {
      const env = { ...process.env, RABBITMQ_URL: BROKER_URL, REQUEST_QUEUE: queue };
      return await run(interpreter, [file], { cwd: PROJECT_FOLDER, env });
    } finally {
      rmSync(file);
    }
  }
});

function hasPika(python: string): boolean {
  try {
    execFileSync(python, ['-c', 'import pika'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
