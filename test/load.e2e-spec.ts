import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { PROJECT_FOLDER } from '../src/cli/test-set.js';
import { BROKER_URL } from './support/broker-client.js';
import { useScene } from './support/scene.js';

const run = promisify(execFile);

/** `npm run load -- …`, without building again. */
async function load(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = ['dist/cli/load.js', '--url', BROKER_URL, ...args];
  return run(process.execPath, command, { cwd: PROJECT_FOLDER }).then(
    (output) => ({ code: 0, ...output }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

describe('load', () => {
  const scene = useScene();

  it('reports send time, answers, accuracy, throughput and latency', async () => {
    await scene().consumingWorker();
    const { code, stdout } = await load('--queue', scene().queue, '--num-messages', '450');
    expect(code).toBe(0);
    expect(stdout).toMatch(/sent +450 in \d+\.\d+ s, \d+\.\d+ ms a message/);
    expect(stdout).toMatch(/answered +450 of 450/);
    expect(stdout).toMatch(/right +442 \(98\.22 %\)/);
    expect(stdout).toMatch(/throughput +\d+ msg\/s/);
    expect(stdout).toMatch(/latency +p50 \d+\.\d ms, p90 \d+\.\d ms, p99 \d+\.\d ms/);
  });

  it('sends at a constant rate when asked to', async () => {
    await scene().consumingWorker();
    const { stdout } = await load('--queue', scene().queue, '--num-messages', '50', '--rate', '100');
    expect(stdout).toMatch(/answered +50 of 50/);
  });

  it('only sends with --no-wait', async () => {
    const client = await scene().client();
    await client.channel.assertQueue(scene().queue, { durable: true });
    const { code, stdout } = await load('--queue', scene().queue, '--num-messages', '20', '--no-wait');
    expect(code).toBe(0);
    expect(stdout).not.toContain('answered');
    expect(await client.depth(scene().queue)).toBe(20);
  });

  it('fails with one clear line where there is no such queue', async () => {
    const { code, stderr } = await load('--queue', scene().queue);
    expect(code).toBe(1);
    expect(stderr).toContain(`load: there is no queue '${scene().queue}'`);
  });

  it('explains its options', async () => {
    expect((await load('--help')).stdout).toContain('--num-messages');
  });
});
