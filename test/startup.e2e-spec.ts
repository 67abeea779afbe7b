import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PROJECT_FOLDER, readTestSet } from '../src/cli/test-set.js';
import { BROKER_URL, type BrokerClient } from './support/broker-client.js';
import { canControlBroker, rabbitmqctl } from './support/broker-control.js';
import { Stage } from './support/stage.js';

const run = promisify(execFile);
const EXIT_CONFIG = 78;
const { images } = readTestSet();

let stage: Stage;
let folder: string;

beforeEach(async () => {
  stage = new Stage();
  folder = await mkdtemp(join(tmpdir(), 'onnxmq-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
  await stage.clear();
});

/** Starts a worker that cannot start. */
async function refusal(
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; lines: string[] }> {
  const worker = stage.launch(env);
  const code = await worker.ended();
  return { code, lines: worker.errors.trimEnd().split('\n') };
}

function line(text: string | RegExp): unknown {
  return expect.stringMatching(text);
}

it('a worker loads no undici, which `node:http` brings along since Node 22', async () => {
  const script = `
    await import('./dist/config/no-undici.js');
    await import('@nestjs/platform-express');
    console.log(process.moduleLoadList.filter((name) => name.includes('undici')).join());`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: PROJECT_FOLDER,
  });
  expect(stdout).toBe('\n');
});

describe('a worker that cannot start says why in one line, and ends', () => {
  it('when its port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    stage.atEnd(() => once(server.close(), 'close'));
    const port = String((server.address() as AddressInfo).port);
    const { code, lines } = await refusal({ HTTP_PORT: port });
    expect(code).toBe(1);
    expect(lines).toEqual([line(new RegExp(`HTTP_PORT.*${port}.*in use`))]);
  });

  it('when the folder of its models is missing', async () => {
    const { code, lines } = await refusal({ MODELS_DIR: join(folder, 'nothing') });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(/MODELS_DIR.*nothing/)]);
  });

  it('when the folder of its models has none', async () => {
    const { code, lines } = await refusal({ MODELS_DIR: folder });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(/MODELS_DIR: no model/)]);
  });

  it('when a model file is broken', async () => {
    await mkdir(join(folder, 'broken'));
    await writeFile(join(folder, 'broken', 'model.onnx'), 'this is no model');
    const { code, lines } = await refusal({ MODELS_DIR: folder });
    expect(code).toBe(1);
    expect(lines).toEqual([line(/model 'broken' \(.*model\.onnx\) cannot be served: ./)]);
  });

  it('when a model.json is wrong, naming each field', async () => {
    await mkdir(join(folder, 'digits'));
    await writeFile(join(folder, 'digits', 'model.onnx'), '');
    await writeFile(
      join(folder, 'digits', 'model.json'),
      JSON.stringify({ batching: { maxSize: 'many' }, lables: [] }),
    );
    const { code, lines } = await refusal({ MODELS_DIR: folder });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(/model\.json: batching\.maxSize/), line(/model\.json: .*lables/)]);
  });

  it('when its default model is not there', async () => {
    const { code, lines } = await refusal({ DEFAULT_MODEL: 'letters' });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(/DEFAULT_MODEL.*letters/)]);
  });

  it('when several settings are wrong: one line for each, with its value and what is allowed', async () => {
    const { code, lines } = await refusal({
      RABBITMQ_URL: 'http://someone:hush@host',
      QUEUE_TYPE: 'stream',
      DELIVERY_LIMIT: '0',
      BATCH_MAX_SIZE: 'many',
      HTTP_PORT: '70000',
      LOG_LEVEL: 'loud',
    });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([
      line(/RABBITMQ_URL: "http:\/\/\*\*\*" .*amqp:\/\//),
      line(/QUEUE_TYPE: "stream" .*quorum or classic/),
      line(/DELIVERY_LIMIT: "0" .*1/),
      line(/BATCH_MAX_SIZE: "many" .*number/),
      line(/HTTP_PORT: "70000" .*65535/),
      line(/LOG_LEVEL: "loud" .*debug/),
    ]);
  });

  it('when PREFETCH is less than CONCURRENCY', async () => {
    const { code, lines } = await refusal({ PREFETCH: '64', CONCURRENCY: '100' });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(/PREFETCH: 64.*CONCURRENCY.*100/)]);
  });

  it('when its batches can never fill', async () => {
    const { code, lines } = await refusal({ CONCURRENCY: '10', BATCH_MAX_SIZE: '32' });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(/CONCURRENCY: 10 .*32/)]);
  });

  it('when a setting is given twice, or its file is not there', async () => {
    const { code, lines } = await refusal({
      LOG_LEVEL: 'info',
      LOG_LEVEL_FILE: 'some.file',
      QUEUE_TYPE_FILE: join(folder, 'nothing'),
    });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toHaveLength(2);
    expect(lines).toContainEqual(line(/LOG_LEVEL: set it or LOG_LEVEL_FILE, not both/));
    expect(lines).toContainEqual(line(/QUEUE_TYPE_FILE: .*nothing.*ENOENT/));
  });

  it('when a certificate is not there', async () => {
    const { code, lines } = await refusal({ RABBITMQ_CA_FILE: join(folder, 'ca.pem') });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(/RABBITMQ_CA_FILE.*ca\.pem.*ENOENT/)]);
  });

  it('when a certificate or its key is none, before it loads models: one line for each', async () => {
    const path = join(folder, 'cert.pem');
    await writeFile(path, 'no certificate');
    const worker = stage.launch({ RABBITMQ_CERT_FILE: path, RABBITMQ_KEY_FILE: path });
    expect(await worker.ended()).toBe(EXIT_CONFIG);
    expect(worker.errors.trimEnd().split('\n')).toEqual([
      line(/RABBITMQ_CERT_FILE: .*cert\.pem.*no certificate in PEM format/),
      line(/RABBITMQ_KEY_FILE: .*cert\.pem.*no private key in PEM format/),
    ]);
    expect(worker.logs).toEqual([]);
  });

  it('when the file of a setting is empty, instead of going on with the default', async () => {
    const path = join(folder, 'url');
    await writeFile(path, '\n');
    const { code, lines } = await refusal({ RABBITMQ_URL: '', RABBITMQ_URL_FILE: path });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(/RABBITMQ_URL_FILE: ".*url" is empty/)]);
  });
});

describe('the queues', () => {
  let client: BrokerClient;

  beforeEach(async () => {
    client = await stage.client();
  });

  const quorum = {
    'x-queue-type': 'quorum',
    'x-dead-letter-exchange': '',
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  };

  it.each([
    ['x-delivery-limit', { ...quorum, 'x-delivery-limit': 9 }, '9', '5'],
    [
      'x-overflow',
      { ...quorum, 'x-delivery-limit': 5, 'x-overflow': 'drop-head' },
      'drop-head',
      'reject-publish',
    ],
  ])(
    'are refused when they exist with another %s: queue, argument and both values are named',
    async (argument, args, theirs, ours) => {
      await client.channel.assertQueue(stage.queue, {
        durable: true,
        arguments: { ...args, 'x-dead-letter-routing-key': stage.deadLetters },
      });
      const { code, lines } = await refusal({});
      expect(code).toBe(EXIT_CONFIG);
      expect(lines).toHaveLength(1);
      for (const part of [`'${stage.queue}'`, argument, theirs, ours]) expect(lines[0]).toContain(part);
    },
  );

  it.each([
    ['x-queue-type', { durable: true }, /classic|not set/, 'quorum'],
    ['durable', { durable: false }, /false/, 'true'],
  ])(
    'are refused also for results, when they are declared otherwise (%s)',
    async (argument, options, theirs, ours) => {
      const results = stage.queueName();
      await client.channel.assertQueue(results, options);
      const { code, lines } = await refusal({ RESULTS_QUEUE: results });
      expect(code).toBe(EXIT_CONFIG);
      expect(lines).toHaveLength(1);
      for (const part of [`'${results}'`, argument, ours]) expect(lines[0]).toContain(part);
      expect(lines[0]).toMatch(theirs);
    },
  );

  it('are refused when they exist without arguments, as a simple producer declares them', async () => {
    await client.channel.assertQueue(stage.queue);
    const { code, lines } = await refusal({});
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(`queue '${stage.queue}' exists with other arguments`)]);
  });

  it('are only verified with TOPOLOGY=check: a missing one is named', async () => {
    const { code, lines } = await refusal({ TOPOLOGY: 'check' });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(`queue '${stage.deadLetters}' does not exist`)]);
  });

  it.each(['check', 'none'])('that exist are used as they are with TOPOLOGY=%s', async (topology) => {
    await client.channel.assertQueue(stage.deadLetters);
    await client.channel.assertQueue(stage.queue, { durable: false });
    const worker = await stage.worker({ TOPOLOGY: topology });
    const { properties } = await client.ask(stage.queue, { data: images[0] });
    expect(properties.type).toBe('inference.result');
    expect(await worker.stop()).toBe(0);
  });

  it('are awaited with TOPOLOGY=none, and used once they are there', async () => {
    const worker = stage.launch({ TOPOLOGY: 'none' });
    await worker.log(({ msg }) => msg.startsWith(`cannot consume from '${stage.queue}'`));
    await client.channel.assertQueue(stage.deadLetters);
    await client.channel.assertQueue(stage.queue);
    await worker.consuming();
    const { properties } = await client.ask(stage.queue, { data: images[0] });
    expect(properties.type).toBe('inference.result');
  });

  it('are quorum queues that dead-letter', async () => {
    await stage.worker({ DELIVERY_LIMIT: '7' });
    // Declaring them with these very arguments is refused unless they have them.
    await client.channel.assertQueue(stage.queue, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 7,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': stage.deadLetters,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      },
    });
    await client.channel.assertQueue(stage.deadLetters, {
      durable: true,
      arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 2_000_000_000 },
    });
  });

  it('are classic ones with QUEUE_TYPE=classic, and serve as well', async () => {
    const worker = await stage.worker({ QUEUE_TYPE: 'classic' });
    const answers = await Promise.all(images.slice(0, 50).map((data) => client.ask(stage.queue, { data })));
    expect(answers.map(({ properties }) => properties.type as unknown)).toEqual(
      answers.map(() => 'inference.result'),
    );
    const dead = await client.collect(stage.deadLetters);
    await client.ask(stage.queue, { data: [1] }, { correlationId: 'bad' });
    expect((await dead.answerTo('bad')).headers['x-error-code']).toBe('SHAPE_MISMATCH');
    await client.channel.assertQueue(stage.deadLetters, {
      durable: true,
      arguments: { 'x-queue-type': 'classic' },
    });
    expect(await worker.stop()).toBe(0);
    expect(await client.depth(stage.queue)).toBe(0);
  });
});

describe('a setting', () => {
  it('may come from a file', async () => {
    const path = join(folder, 'url');
    await writeFile(path, `${BROKER_URL}\n`);
    await stage.worker({ RABBITMQ_URL: '', RABBITMQ_URL_FILE: path });
    const client = await stage.client();
    const { properties } = await client.ask(stage.queue, { data: images[0] });
    expect(properties.type).toBe('inference.result');
  });

  it('may name several brokers: the first that answers is used', async () => {
    const worker = await stage.worker({ RABBITMQ_URL: `amqp://guest:guest@127.0.0.1:1,${BROKER_URL}` });
    const client = await stage.client();
    const { properties } = await client.ask(stage.queue, { data: images[0] });
    expect(properties.type).toBe('inference.result');
    expect(await worker.stop()).toBe(0);
  });
});

(canControlBroker ? describe : describe.skip)('the broker', () => {
  const VHOST = 'onnxmq test/é';
  let user: string;

  /** The broker's URL for a user, whose name and password are percent-encoded as RFC 3986 has it. */
  function urlOf(name: string, password: string, vhost?: string): string {
    const url = new URL(BROKER_URL);
    [url.username, url.password] = [encodeURIComponent(name), encodeURIComponent(password)];
    if (vhost) url.pathname = encodeURIComponent(vhost);
    return url.href;
  }

  async function addUser(name: string, password: string): Promise<void> {
    user = name;
    stage.atEnd(() => rabbitmqctl('delete_user', name));
    await rabbitmqctl('add_user', name, password);
    await rabbitmqctl('set_permissions', name, '.*', '.*', '.*');
  }

  it.each([
    ['worker', 'é€'],
    ['wörker€', '🐇 ключ'],
    ['a@b/c:d', 'p@ss/w:rd%20%'],
  ])('takes user %j with password %j, percent-encoded in the URL', async (name, password) => {
    await addUser(name, password);
    const worker = await stage.worker({ RABBITMQ_URL: urlOf(name, password) });
    const client = await stage.client();
    const { properties } = await client.ask(stage.queue, { data: images[0] });
    expect(properties.type).toBe('inference.result');
    const shown = JSON.stringify(worker.logs);
    for (const secret of [password, encodeURIComponent(password)]) expect(shown).not.toContain(secret);
  });

  it('takes the credentials of the URL by which it is reached, of several', async () => {
    await addUser('worker', 'é€');
    const down = 'amqp://other:%C3%A0@127.0.0.1:1';
    await stage.worker({ RABBITMQ_URL: `${down},${urlOf(user, 'é€')}` });
  });

  it('is asked again when it refuses a password, and the log says what to change', async () => {
    await addUser('worker', 'right');
    const worker = stage.launch({ RABBITMQ_URL: urlOf(user, 'wrong') });
    const { msg } = await worker.log(({ level }) => level === 'warn');
    expect(msg).toMatch(/refuses the credentials of user "worker" \(ACCESS_REFUSED\): check .*RABBITMQ_URL/);
    expect(msg).not.toContain('wrong');
    await rabbitmqctl('change_password', user, 'wrong');
    await worker.consuming();
  });

  it('is asked again when a virtual host is missing or not permitted, and the log says what to change', async () => {
    await addUser('worker', 'right');
    const worker = stage.launch({ RABBITMQ_URL: urlOf(user, 'right', VHOST) });
    const expected = `refuses virtual host "${VHOST}" to user "worker" (NOT_ALLOWED)`;
    const { msg } = await worker.log(({ level }) => level === 'warn');
    expect(msg).toContain(expected);
    stage.atEnd(() => rabbitmqctl('delete_vhost', VHOST));
    await rabbitmqctl('add_vhost', VHOST);
    const seen = worker.logs.length;
    await worker.log((entry) => worker.logs.indexOf(entry) >= seen && entry.msg.includes(expected));
    await rabbitmqctl('set_permissions', '-p', VHOST, user, '.*', '.*', '.*');
    await worker.consuming();
  });
});

describe('a log in pretty format', () => {
  /** An id that would write a line of its own, erase one, and turn the direction of reading. */
  const ID = 'a\nWARN \u001b[2K\u0085{msg}$&\u2028\u2029\u202e\u2066\u200f\u061cz';

  it('keeps each entry on one line and in one direction, whatever an id holds', async () => {
    const worker = stage.launch({ LOG_FORMAT: 'pretty' });
    await worker.log(({ msg }) => msg.includes('consuming from'));
    const client = await stage.client();
    await client.ask(stage.queue, { id: ID, data: [1] });
    const { msg } = await worker.log((entry) => entry.msg.includes('SHAPE_MISMATCH'));
    expect(msg).toContain(
      '(id a\\nWARN \\u001b[2K\\u0085{msg}$&\\u2028\\u2029\\u202e\\u2066\\u200f\\u061cz)',
    );
    expect(await worker.stop()).toBe(0);
    const lines = worker.logs.map((entry) => entry.msg);
    expect(lines.filter((text) => !/^\[\d\d:\d\d:\d\d\.\d{3}\] (INFO|WARN): \w+: \S/.test(text))).toEqual([]);
    expect(lines.filter((text) => /[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text))).toEqual([]);
  });

  it('says what it says as JSON, where the id is as it came', async () => {
    const worker = await stage.worker();
    const client = await stage.client();
    await client.ask(stage.queue, { id: ID, data: [1] });
    expect((await worker.log(({ code }) => code === 'SHAPE_MISMATCH'))['id']).toBe(ID);
  });
});

describe('model folders', () => {
  const MODEL = join(PROJECT_FOLDER, 'test/support/models/mean/model.onnx');

  async function put(path: string, content?: object): Promise<void> {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    if (content) await writeFile(join(folder, path), JSON.stringify(content));
    else await copyFile(MODEL, join(folder, path));
  }

  it('that are not served beside one that is get a warning each', async () => {
    await put('good/model.onnx');
    await put('foo/resnet50.onnx');
    await put('bar/v1/model.onnx');
    const worker = await stage.worker({ MODELS_DIR: folder });
    const warnings = worker.logs.filter(({ level, context }) => level === 'warn' && context === 'Models');
    expect(warnings.map(({ msg }) => msg)).toEqual([
      line(/bar\/v1\/model\.onnx" is not served: a version is a whole number/),
      line(/foo\/resnet50\.onnx" is not served: the file must be called model\.onnx/),
    ]);
  });

  it.each([
    [
      'labels',
      { labels: ['a', 'b', 'c'] },
      /labels: there are 3, and output mean FP32\[.*, 1\] has 1 classes/,
    ],
  ])('with a model.json whose %s do not fit the model are refused', async (_, config, expected) => {
    await put('good/model.onnx');
    await put('good/model.json', config);
    const { code, lines } = await refusal({ MODELS_DIR: folder });
    expect(code).toBe(EXIT_CONFIG);
    expect(lines).toEqual([line(expected)]);
  });
});
