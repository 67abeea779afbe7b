import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PROJECT_FOLDER } from '../src/cli/test-set.js';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { BROKER_URL, type BrokerClient } from './support/broker-client.js';
import { Stage } from './support/stage.js';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the load command to its end. */
function load(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const command = ['dist/cli/load.js', ...args];
    const child = execFile(process.execPath, command, { cwd: PROJECT_FOLDER }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

describe('the load command', () => {
  const stage = new Stage();
  const target = ['--url', BROKER_URL, '--queue', stage.queue];
  let worker: WorkerProcess;
  let client: BrokerClient;

  beforeAll(async () => {
    worker = await stage.worker();
    client = await stage.client();
  });

  afterAll(() => stage.clear());

  it('reports send time, answers, accuracy, throughput and latency', async () => {
    const { code, stdout, stderr } = await load(...target, '--num-messages', '100');
    expect(stdout).toMatch(/sent +100 in \d+\.\d+ s, \d+\.\d+ ms a message/);
    expect(stdout).toMatch(/answered +100 of 100\n/);
    expect(stdout).toMatch(/right +(9\d|100) \(\d+\.\d\d %\)/);
    expect(stdout).toMatch(/throughput +\d+ msg\/s/);
    expect(stdout).toMatch(/latency +p50 \d+\.\d ms, p90 \d+\.\d ms, p99 \d+\.\d ms/);
    expect(stdout).not.toContain('guest:guest');
    expect(stderr).not.toContain('load:');
    expect(code).toBe(0);
  });

  it('sends at a constant rate, and with a bound on what is under way', async () => {
    const { code, stdout } = await load(
      ...target,
      '--num-messages',
      '50',
      '--rate',
      '500',
      '--in-flight',
      '10',
    );
    expect(stdout).toMatch(/answered +50 of 50\n/);
    expect(code).toBe(0);
  });

  it('takes the host by itself', async () => {
    const { hostname } = new URL(BROKER_URL);
    const elsewhere = new URL(BROKER_URL);
    elsewhere.hostname = 'no.such.host.invalid';
    const { code, stdout } = await load(
      '--url',
      elsewhere.href,
      '--host',
      hostname,
      '--queue',
      stage.queue,
      '--num-messages',
      '10',
    );
    expect(stdout).toMatch(/answered +10 of 10\n/);
    expect(code).toBe(0);
  });

  it('counts errors by code, and fails then', async () => {
    const { code, stdout } = await load(...target, '--num-messages', '20', '--model', 'letters');
    expect(stdout).toMatch(/error +UNKNOWN_MODEL × 20/);
    expect(stdout).toMatch(/right +0 /);
    expect(code).toBe(1);
  });

  it('only sends with --no-wait', async () => {
    const own = stage.queueName();
    await client.channel.assertQueue(own);
    const { code, stdout } = await load(
      '--url',
      BROKER_URL,
      '--queue',
      own,
      '--num-messages',
      '100',
      '--no-wait',
    );
    expect(stdout).toMatch(/sent +100 in /);
    expect(stdout).not.toContain('answered');
    expect(code).toBe(0);
    expect(await client.depth(own)).toBe(100);
  });

  it('fails when answers stay away', async () => {
    const own = stage.queueName();
    await client.channel.assertQueue(own);
    const { code, stdout } = await load(
      '--url',
      BROKER_URL,
      '--queue',
      own,
      '--num-messages',
      '10',
      '--patience',
      '0.2',
    );
    expect(stdout).toMatch(/answered +0 of 10\n/);
    expect(code).toBe(1);
  });

  it('names a queue that does not exist', async () => {
    const { code, stderr } = await load(
      '--url',
      BROKER_URL,
      '--queue',
      'test.nothing',
      '--num-messages',
      '1',
    );
    expect(code).toBe(1);
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining("'test.nothing'")]);
  });

  it('names a broker that does not answer, without its password', async () => {
    const { code, stderr } = await load('--url', 'amqp://someone:hush@127.0.0.1:1', '--num-messages', '1');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^load: .*127\.0\.0\.1:1/);
    expect(stderr).not.toContain('hush');
  });

  it('refuses a number that is none', async () => {
    const { code, stderr } = await load('--num-messages', 'many');
    expect(code).toBe(1);
    expect(stderr).toContain('--num-messages');
  });

  it.each(['load', 'demo'])('%s explains itself with --help', async (name) => {
    const { code, stdout } = await new Promise<Outcome>((resolve) => {
      const child = execFile(
        process.execPath,
        [`dist/cli/${name}.js`, '--help'],
        { cwd: PROJECT_FOLDER },
        (_, out, err) => resolve({ code: child.exitCode ?? -1, stdout: out, stderr: err }),
      );
    });
    expect(code).toBe(0);
    expect(stdout).toContain(`npm run ${name}`);
    expect(stdout).toContain('--help');
    if (name === 'load') expect(stdout).toContain('--num-messages');
  });

  it('leaves nothing behind', async () => {
    expect(await worker.stop()).toBe(0);
    expect(await client.depth(stage.queue)).toBe(0);
  });
});
