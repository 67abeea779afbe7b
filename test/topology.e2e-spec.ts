import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PROJECT_FOLDER, readTestSet } from '../src/cli/test-set.js';
import type { LogLine, WorkerProcess } from '../src/cli/worker-process.js';
import { readSettings } from '../src/config/settings.js';
import { queuesOf } from '../src/rabbitmq/topology.js';
import type { WorkerQueue } from '../src/rabbitmq/worker-queue.js';
import { BROKER_URL, type BrokerClient } from './support/broker-client.js';
import { canControlBroker, onBrokerNode, rabbitmqctl } from './support/broker-control.js';
import { eventually } from './support/eventually.js';
import { LOOKUP } from './support/model-outage.js';
import { Stage } from './support/stage.js';

const run = promisify(execFile);
const EXIT_CONFIG = 78;
const { images } = readTestSet();
const isUnverified = ({ level, msg }: LogLine) => level === 'warn' && msg.startsWith('cannot verify');

let stage: Stage;
let client: BrokerClient;

beforeEach(async () => {
  stage = new Stage();
  client = await stage.client();
});

afterEach(() => stage.clear());

type Arguments = Readonly<Record<string, unknown>>;

/** Declares this stage's queues as `onnxmq topology` has them, apart from some arguments of one of them. */
async function declare(env: Record<string, string> = {}, other = '', changes: Arguments = {}): Promise<void> {
  for (const { name, options } of ownQueues(env)) {
    const args = { ...(options.arguments as Arguments), ...(name === other ? changes : {}) };
    await client.channel.assertQueue(stage.queueName(name), { ...options, arguments: args });
  }
}

function ownQueues(env: Record<string, string>): WorkerQueue[] {
  return queuesOf(readSettings({ RETRY_DELAYS_MS: 'none', REQUEST_QUEUE: stage.queue, ...env }));
}

/** Has a queue's arguments come from a policy instead. */
async function setPolicy(queue: string, definition: Arguments): Promise<void> {
  const name = `${queue}.policy`;
  const pattern = `^${queue.replaceAll('.', '\\.')}$`;
  await rabbitmqctl('set_policy', '--apply-to', 'queues', name, pattern, JSON.stringify(definition));
  stage.atEnd(() => rabbitmqctl('clear_policy', name));
}

/** Starts a worker that must not start. */
async function refusal(env: Record<string, string>): Promise<string> {
  const worker = stage.launch({ TOPOLOGY: 'check', ...env });
  expect(await worker.ended()).toBe(EXIT_CONFIG);
  return worker.errors.trimEnd();
}

/** Has a request fail for a reason that may pass: it is answered only after it has come back from each retry queue. */
async function comesBack(): Promise<void> {
  const { body } = await client.ask(stage.queue, { id: 'far', data: [99] });
  expect(body).toMatchObject({ id: 'far', code: 'INFERENCE_FAILED' });
}

async function serves(worker: WorkerProcess): Promise<void> {
  const { properties } = await client.ask(stage.queue, { data: images[0] });
  expect(properties.type).toBe('inference.result');
  expect(await worker.stop()).toBe(0);
}

async function onnxmqTopology(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['dist/cli/onnxmq.js', 'topology', ...args], {
    cwd: PROJECT_FOLDER,
    env: { ...process.env, RABBITMQ_URL: 'amqp://127.0.0.1:1/' }, // it must not ask the broker
  });
  return stdout;
}

describe('with TOPOLOGY=check', () => {
  const RETRY = { RETRY_DELAYS_MS: '100' };

  it('queues that are as the worker would declare them are used, and nothing about them is doubted', async () => {
    await declare({ ...RETRY, RESULTS_QUEUE: `${stage.queue}.results` });
    const worker = await stage.worker({
      TOPOLOGY: 'check',
      ...RETRY,
      RESULTS_QUEUE: `${stage.queue}.results`,
      ...LOOKUP,
    });
    await comesBack();
    expect(worker.logs.filter(isUnverified)).toEqual([]);
  });

  it.each<[string, (own: Stage) => string, Arguments, string, string]>([
    [
      'a retry queue without a TTL',
      (own) => own.retryQueue(100),
      { 'x-message-ttl': undefined },
      'not set',
      '100',
    ],
    ['a retry queue with another TTL', (own) => own.retryQueue(100), { 'x-message-ttl': 200 }, '200', '100'],
    [
      'a retry queue that leads elsewhere',
      (own) => own.retryQueue(100),
      { 'x-dead-letter-routing-key': 'elsewhere' },
      'elsewhere',
      'test.',
    ],
    [
      'a retry queue that leads to another exchange',
      (own) => own.retryQueue(100),
      { 'x-dead-letter-exchange': 'amq.direct' },
      'amq.direct',
      'empty',
    ],
    [
      'a retry queue that leads nowhere',
      (own) => own.retryQueue(100),
      {
        'x-dead-letter-exchange': undefined,
        'x-dead-letter-routing-key': undefined,
        'x-dead-letter-strategy': undefined,
      },
      'not set',
      'test.',
    ],
    [
      'a retry queue that is deleted with what is in it',
      (own) => own.retryQueue(100),
      { 'x-expires': 60_000 },
      '60000',
      'not set',
    ],
    ['a request queue with another limit', (own) => own.queue, { 'x-delivery-limit': 9 }, '9', '5'],
    [
      'a request queue whose dead letters go elsewhere',
      (own) => own.queue,
      { 'x-dead-letter-routing-key': 'elsewhere' },
      'elsewhere',
      '.dead',
    ],
    [
      'a dead-letter queue with a limit',
      (own) => own.deadLetters,
      { 'x-delivery-limit': 20 },
      '20',
      '2000000000',
    ],
  ])(
    '%s is refused: queue, argument and both values are named',
    async (_, queueOf, changes, theirs, ours) => {
      const queue = queueOf(stage);
      await declare(RETRY, queue, changes);
      const line = await refusal(RETRY);
      const [argument = ''] = Object.keys(changes);
      for (const part of [`queue '${queue}'`, argument, theirs, ours]) expect(line).toContain(part);
      expect(line.split('\n')).toHaveLength(1);
      for (const { name } of ownQueues(RETRY)) expect(await client.depth(name)).toBe(0); // no probe is left behind
    },
  );

  it.each(['dead', 'retry.100', 'results'])(
    'a classic queue instead of a quorum queue is refused: %s',
    async (suffix) => {
      const name = `${stage.queue}.${suffix}`;
      const env = { ...RETRY, RESULTS_QUEUE: `${stage.queue}.results` };
      await client.channel.assertQueue(stage.queueName(name));
      for (const { name: other, options } of ownQueues(env))
        if (other !== name) await client.channel.assertQueue(stage.queueName(other), options);
      const line = await refusal(env);
      expect(line).toContain(`queue '${name}'`);
      expect(line).toMatch(/x-queue-type is (classic|not set), the worker declares quorum/); // RabbitMQ 3 says none
    },
  );

  it('a plain classic queue is refused as a retry queue with QUEUE_TYPE=classic as well', async () => {
    const env = { QUEUE_TYPE: 'classic', ...RETRY };
    const queue = stage.queueName(stage.retryQueue(100));
    await client.channel.assertQueue(queue);
    for (const { name, options } of ownQueues(env))
      if (name !== queue) await client.channel.assertQueue(name, options);
    const line = await refusal(env);
    for (const part of [`queue '${queue}'`, 'x-message-ttl is not set', '100']) expect(line).toContain(part);
  });

  it('what a queue has besides is the business of those who declare it', async () => {
    await declare(RETRY, stage.queue, { 'x-max-length': 1000, 'x-max-in-memory-length': 100 });
    const worker = await stage.worker({ TOPOLOGY: 'check', ...RETRY, ...LOOKUP });
    await comesBack();
    expect(worker.logs.filter(isUnverified)).toEqual([]);
  });

  it('a retry queue that cannot be tried, because requests are waiting, is said to be unverified', async () => {
    await declare(RETRY, stage.retryQueue(100), { 'x-message-ttl': undefined });
    await client.send(stage.queue, { data: images[0] });
    const worker = await stage.worker({ TOPOLOGY: 'check', ...RETRY });
    const { msg } = await worker.log(isUnverified);
    for (const part of [
      `that '${stage.retryQueue(100)}' sends messages back to '${stage.queue}' after 100 ms`,
      'x-message-ttl is not set',
      'policy',
    ])
      expect(msg).toContain(part);
    await serves(worker);
  });

  if (!canControlBroker) return;

  it.each(['quorum', 'classic'])(
    'a retry queue whose way back comes from a policy is used (%s)',
    async (type) => {
      const env = { QUEUE_TYPE: type, ...RETRY };
      await setPolicy(stage.retryQueue(100), {
        'message-ttl': 100,
        'dead-letter-exchange': '',
        'dead-letter-routing-key': stage.queue,
      });
      await declare(env, stage.retryQueue(100), {
        'x-message-ttl': undefined,
        'x-dead-letter-exchange': undefined,
        'x-dead-letter-routing-key': undefined,
        'x-dead-letter-strategy': undefined,
      });
      const worker = await stage.worker({ TOPOLOGY: 'check', ...env, ...LOOKUP });
      await comesBack();
      for (const { msg } of worker.logs.filter(isUnverified)) expect(msg).not.toContain('x-message-ttl');
      expect(await worker.stop()).toBe(0);
      for (const queue of [stage.queue, stage.retryQueue(100)]) expect(await client.depth(queue)).toBe(0);
      expect(await client.depth(stage.deadLetters)).toBe(1);
    },
  );

  it('a way back that comes from a policy is verified also where the delay is long', async () => {
    const env = { RETRY_DELAYS_MS: '60000' };
    const policy = { 'dead-letter-exchange': '', 'dead-letter-routing-key': stage.queue };
    await setPolicy(stage.retryQueue(60_000), policy);
    await declare(env, stage.retryQueue(60_000), {
      'x-dead-letter-exchange': undefined,
      'x-dead-letter-routing-key': undefined,
      'x-dead-letter-strategy': undefined,
    });
    const worker = await stage.worker({ TOPOLOGY: 'check', ...env });
    for (const { msg } of worker.logs.filter(isUnverified)) expect(msg).not.toContain('routing-key');
    await serves(worker);
  });

  it('a retry queue whose policy has another TTL is refused', async () => {
    await setPolicy(stage.retryQueue(100), { 'message-ttl': 60_000 });
    await declare(RETRY, stage.retryQueue(100), { 'x-message-ttl': undefined });
    expect(await refusal(RETRY)).toContain(`queue '${stage.retryQueue(100)}'`);
  });
});

(canControlBroker ? describe : describe.skip)('a worker whose user may do little', () => {
  const DELAYS = { RETRY_DELAYS_MS: '100,60000' };

  /** @returns the URL of a user with these permissions */
  async function userWith(use: string): Promise<string> {
    const table = await onnxmqTopology('--queue', stage.queue, '--retry-delays-ms', DELAYS.RETRY_DELAYS_MS);
    const [, configure = '', write = '', read = ''] =
      table
        .split('\n')
        .find((line) => line.startsWith(`${use}  `))
        ?.split(/ {2,}/) ?? [];
    const user = `user-${stage.queue}`;
    await rabbitmqctl('add_user', user, 'secret');
    stage.atEnd(() => rabbitmqctl('delete_user', user));
    await rabbitmqctl('set_permissions', user, configure, write, read);
    const url = new URL(BROKER_URL);
    [url.username, url.password] = [user, 'secret'];
    return url.href;
  }

  it.each([
    ['TOPOLOGY=assert', 'assert'],
    ['TOPOLOGY=check', 'check'],
    ['TOPOLOGY=none', 'none'],
  ])('serves with the permissions that are printed for %s', async (use, TOPOLOGY) => {
    for (const queue of ['100', '60000']) stage.queueName(stage.retryQueue(queue));
    if (TOPOLOGY !== 'assert') await declare(DELAYS);
    const worker = await stage.worker({ RABBITMQ_URL: await userWith(use), TOPOLOGY, ...DELAYS });
    expect(worker.logs.filter(isUnverified)).toEqual([]);
    await client.ask(stage.queue, { data: [1] });
    await eventually(
      () => client.depth(stage.deadLetters),
      (depth) => depth === 1,
    );
    await serves(worker);
  });

  it('serves without the permission to configure, and says which queues it cannot verify', async () => {
    await declare(DELAYS);
    const url = await userWith('TOPOLOGY=check, arguments not verified');
    const worker = await stage.worker({ RABBITMQ_URL: url, TOPOLOGY: 'check', ...DELAYS, ...LOOKUP });
    const { msg } = await worker.log(isUnverified);
    for (const queue of [stage.queue, stage.deadLetters, stage.retryQueue(60_000)])
      expect(msg).toContain(`'${queue}'`);
    expect(msg).toContain('configure');
    expect(msg).not.toContain('secret');
  });

  it('names a queue that is missing', async () => {
    await declare({});
    const url = await userWith('TOPOLOGY=check, arguments not verified');
    const line = await refusal({ RABBITMQ_URL: url, ...DELAYS });
    expect(line).toContain(`queue '${stage.retryQueue(100)}' does not exist`);
  });

  it('refuses a retry queue from which nothing comes back', async () => {
    await declare(DELAYS, stage.retryQueue(100), {
      'x-message-ttl': undefined,
      'x-dead-letter-exchange': undefined,
      'x-dead-letter-routing-key': undefined,
      'x-dead-letter-strategy': undefined,
    });
    const url = await userWith('TOPOLOGY=check, arguments not verified');
    const line = await refusal({ RABBITMQ_URL: url, ...DELAYS });
    expect(line).toContain(`queue '${stage.retryQueue(100)}'`);
    expect(line).toContain(`does not send messages back to '${stage.queue}' after 100 ms`);
  });
});

describe('onnxmq topology', () => {
  const env = { RETRY_DELAYS_MS: '100,200', DELIVERY_LIMIT: '7' };

  (canControlBroker ? it.each : it.skip.each)(['definitions', 'rabbitmqctl'])(
    'prints what rabbitmqctl takes as it is, and TOPOLOGY=check finds right: --format %s',
    async (format) => {
      for (const { name } of ownQueues(env)) stage.queueName(name);
      const flags = ['--queue', stage.queue, '--retry-delays-ms', '100,200', '--delivery-limit', '7'];
      const printed = await onnxmqTopology('--format', format, ...flags);
      await onBrokerNode(
        format === 'rabbitmqctl'
          ? printed
          : `cat > /tmp/${stage.queue} <<'EOF'\n${printed}EOF\nrabbitmqctl import_definitions /tmp/${stage.queue}`,
      );
      await eventually(
        () => rabbitmqctl('list_queues', 'name'),
        (names) => ownQueues(env).every(({ name }) => names.includes(`${name}\n`)),
      );
      const worker = await stage.worker({ TOPOLOGY: 'check', ...env });
      expect(worker.logs.filter(isUnverified)).toEqual([]);
      await serves(worker);
    },
  );
});
