import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Options } from 'amqplib';
import { readSettings } from '../src/config/settings.js';
import { queuesOf } from '../src/rabbitmq/topology.js';
import { type BrokerClient, Letter } from './support/broker-client.js';
import { DlqProcess } from './support/dlq-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

/** How many letters a kill may double: those whose publish is under way. */
const MAX_IN_FLIGHT = 16;
/** Requests then die in the order in which they were sent. */
const ONE_AT_A_TIME = { PREFETCH: '1', CONCURRENCY: '1', BATCH_MAX_SIZE: '1' };
const IMAGE = Array.from({ length: 64 }, () => 0);

let stage: Stage;
let client: BrokerClient;

beforeEach(async () => {
  stage = new Stage();
  client = await stage.client();
});

afterEach(() => stage.clear());

/** Runs a subcommand on this stage's queue to its end. */
async function dlq(...args: string[]) {
  const command = new DlqProcess([...args, '--queue', stage.queue]);
  return { code: await command.ended(), stdout: command.stdout, stderr: command.stderr };
}

/** The letters as `ls --json` has them. */
async function listed(...args: string[]): Promise<Record<string, unknown>[]> {
  const { stdout } = await dlq('ls', '--json', ...args);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function listedIds(...args: string[]): Promise<unknown[]> {
  return (await listed(...args)).map(({ messageId }) => messageId);
}

async function untilDepth(queue: string, isWished: (depth: number) => boolean): Promise<void> {
  await eventually(() => client.depth(queue), isWished);
}

type Request = readonly [id: string, body: unknown, options?: Options.Publish];

/** Has a worker fail these requests, one after the other, and stops it. */
async function letDie(
  requests: readonly Request[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const worker = await stage.worker({ ...ONE_AT_A_TIME, ...env });
  for (const [messageId, body, options] of requests)
    await client.send(stage.queue, body, { messageId, ...options });
  await untilDepth(stage.deadLetters, (depth) => depth === requests.length);
  expect(await worker.stop()).toBe(0);
}

const noJson = (id: string): Request => [id, `{"id": "${id}", "data": [`];
const noModel = (id: string): Request => [id, { data: IMAGE }, { headers: { 'x-model': 'letters' } }];
const many = (count: number, prefix = 'm') =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

/** Puts letters that say no reason into a dead-letter queue as the worker declares it. */
async function putLetters(count: number, others: Readonly<Record<string, unknown>> = {}): Promise<string[]> {
  const dead = queuesOf(readSettings({ REQUEST_QUEUE: stage.queue })).find(
    ({ name }) => name === stage.deadLetters,
  );
  await client.channel.assertQueue(stage.deadLetters, {
    arguments: { ...(dead?.options.arguments as object), ...others },
  });
  const ids = many(count);
  await Promise.all(ids.map((messageId) => client.send(stage.deadLetters, 'x', { messageId })));
  return ids;
}

/** Takes all that is ready in a queue. */
async function drain(queue: string): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (;;) {
    const message = await client.channel.get(queue, { noAck: true });
    if (!message) return letters;
    letters.push(new Letter({ ...message, fields: { ...message.fields, consumerTag: '' } }));
  }
}

const idsOf = (letters: readonly Letter[]) => letters.map(({ properties }) => properties.messageId as string);

describe('dlq ls', () => {
  it('lists the letters in their order, and counts them by code and model', async () => {
    await letDie([noJson('a'), noModel('b'), ['c', { data: [1, 2] }], noJson('d')]);
    const { code, stdout } = await dlq('ls');
    const [head, ...lines] = stdout.split('\n');
    expect(head).toMatch(/^# +age +code +model +attempts +message_id +error$/);
    expect(lines[0]).toMatch(/^1 +\d+s +INVALID_JSON +- +1 +a +the body \(\d+ bytes\) is not JSON/);
    expect(lines[1]).toMatch(/^2 +\d+s +UNKNOWN_MODEL +letters +1 +b +there is no model "letters"/);
    expect(lines[2]).toMatch(/^3 +\d+s +SHAPE_MISMATCH +digits +1 +c +/);
    expect(stdout).toContain(
      `\n\n2 × INVALID_JSON\n1 × UNKNOWN_MODEL letters\n1 × SHAPE_MISMATCH digits\n4 of 4 letters in '${stage.deadLetters}'\n`,
    );
    expect(code).toBe(0);
  });

  it('finds by code, model, id and age, and says where in the queue that is', async () => {
    await letDie([noJson('a'), noModel('b'), noModel('c')]);
    expect(await listed('--code', 'UNKNOWN_MODEL', '--limit', '1')).toEqual([
      expect.objectContaining({
        position: 2,
        messageId: 'b',
        code: 'UNKNOWN_MODEL',
        model: 'letters',
        attempts: 1,
      }),
    ]);
    expect(await listedIds('--model', 'letters')).toEqual(['b', 'c']);
    expect(await listedIds('--code', 'INVALID_JSON', '--code', 'UNKNOWN_MODEL')).toEqual(['a', 'b', 'c']);
    expect(await listedIds('--id', 'c')).toEqual(['c']);
    expect(await listedIds('--newer-than', '1h')).toEqual(['a', 'b', 'c']);
    expect(await listedIds('--older-than', '1h')).toEqual([]);
  });

  it('leaves all letters where they are, however many there are and however often it looks', async () => {
    const ids = await putLetters(700);
    for (let looks = 0; looks < 3; looks++) expect(await listedIds()).toEqual(ids);
    expect(await listedIds('--limit', '5')).toEqual(ids.slice(0, 5));
    expect(await listedIds()).toEqual(ids);
  });

  it('leaves the letters in their order also where thousands are', async () => {
    const ids = await putLetters(10_000);
    for (let looks = 0; looks < 3; looks++) expect(await listedIds()).toEqual(ids);
  });

  it('sees all letters of a queue that serves one consumer at a time', async () => {
    const ids = await putLetters(700, { 'x-single-active-consumer': true });
    for (let looks = 0; looks < 2; looks++) expect(await listedIds()).toEqual(ids);
  });

  it('knows a letter that RabbitMQ itself gave up', async () => {
    const worker = await stage.worker({ DELIVERY_LIMIT: '1' });
    await worker.stop();
    await client.send(stage.queue, { data: IMAGE }, { messageId: 'poison' });
    await eventually(
      async () => {
        const message = await client.channel.get(stage.queue);
        if (message) client.channel.reject(message, true);
        return client.depth(stage.deadLetters);
      },
      (depth) => depth === 1,
    );
    expect(await listed()).toEqual([
      expect.objectContaining({ messageId: 'poison', code: 'DELIVERY_LIMIT' }),
    ]);
  });

  it('says that there is nothing', async () => {
    await client.channel.assertQueue(stage.deadLetters);
    expect(await dlq('ls')).toMatchObject({
      code: 0,
      stdout: `there are no letters in '${stage.deadLetters}'\n`,
    });
  });
});

describe('a queue of which RabbitMQ drops what is delivered too often', () => {
  it('loses nothing by being looked at again and again', async () => {
    // As an older worker, or somebody else, declared it: RabbitMQ 4 then drops at the 21st delivery.
    await client.channel.assertQueue(stage.deadLetters, { arguments: { 'x-queue-type': 'quorum' } });
    const ids = many(20);
    for (const messageId of ids) await client.send(stage.deadLetters, 'x', { messageId });
    for (let looks = 0; looks < 25; looks++) await listed();
    expect(await listedIds()).toEqual(ids);
  }, 180_000);
});

describe('dlq show', () => {
  it('shows all of a letter, by its position or its id', async () => {
    await letDie([
      noJson('a'),
      ['b', { data: [1, 2], note: 'so' }, { appId: 'shop', correlationId: 'order-7' }],
    ]);
    for (const which of ['2', 'b', 'order-7']) {
      const { code, stdout } = await dlq('show', which);
      expect(stdout).toMatch(/^position +2\n/);
      expect(stdout).toMatch(/^appId +shop$/m);
      expect(stdout).toMatch(/^ {2}x-error-code +SHAPE_MISMATCH$/m);
      expect(stdout).toContain('\n{\n  "data": [1, 2],\n  "note": "so"\n}\n');
      expect(code).toBe(0);
    }
  });

  it('writes the body byte for byte, for a file', async () => {
    await letDie([noJson('a')]);
    expect((await dlq('show', 'a', '--raw')).stdout).toBe(noJson('a')[1]);
  });

  it('fails when there is no such letter', async () => {
    await letDie([noJson('a')]);
    expect(await dlq('show', '2')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('dlq ls'),
    });
  });
});

describe('dlq replay', () => {
  it('sends the request as it was first sent', async () => {
    const headers = { 'x-model': 'letters', traceparent: '00-1', 'x-tenant': 7 };
    const options = {
      appId: 'shop',
      timestamp: 1_764_000_000,
      correlationId: 'c',
      contentType: 'application/json',
    };
    await letDie([['a', { data: IMAGE }, { ...options, headers, expiration: '3600000' }]]);
    const { code, stdout } = await dlq('replay');
    expect(stdout).toBe(`replayed 1 to '${stage.queue}'; 0 of 1 letters left\n`);
    expect(code).toBe(0);
    const [request, ...others] = await drain(stage.queue);
    expect(others).toEqual([]);
    expect(request?.body).toEqual({ data: IMAGE });
    expect(request?.properties).toMatchObject({
      ...options,
      deliveryMode: 2,
      replyTo: client.replyQueue,
      messageId: 'a',
    });
    expect(request?.properties.expiration).toBeUndefined();
    // RabbitMQ 3.10 sends its count of deliveries with the first one already.
    expect({ ...request?.headers, 'x-delivery-count': undefined }).toEqual(headers);
    expect(await client.depth(stage.deadLetters)).toBe(0);
  });

  it('has the requests answered once what was wrong is mended', async () => {
    const ids = many(20);
    await letDie(
      ids.map((id) => [id, { id, data: IMAGE }]),
      { MAX_MESSAGE_BYTES: '50' },
    );
    const worker = await stage.worker();
    const earlier = client.replies.letters.length;
    expect(earlier).toBe(20);
    expect((await dlq('replay', '--code', 'TOO_LARGE')).code).toBe(0);
    const answers = (await client.replies.received(40)).slice(earlier);
    expect(new Set(answers.map(({ body }) => body['id']))).toEqual(new Set(ids));
    expect(answers.every(({ body }) => body['code'] === undefined)).toBe(true);
    expect(await client.depth(stage.deadLetters)).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  it('ends although the same requests fail again meanwhile', async () => {
    await letDie(many(50).map(noModel));
    const worker = await stage.worker();
    expect((await dlq('replay', '--rate', '1000')).stdout).toContain('replayed 50 ');
    await untilDepth(stage.deadLetters, (depth) => depth === 50);
    expect(await client.depth(stage.queue)).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  it('sends only what fits, and leaves the others in their order', async () => {
    const mixed = many(60).map((id, index) => (index % 3 === 0 ? noModel(id) : noJson(id)));
    await letDie(mixed);
    const dry = await dlq('replay', '--dry-run', '--code', 'UNKNOWN_MODEL', '--limit', '3');
    expect(dry.stdout).toContain(`3 of 60 letters would go to '${stage.queue}'`);
    expect(await client.depth(stage.queue)).toBe(0);
    expect((await dlq('replay', '--code', 'UNKNOWN_MODEL', '--no-reply')).code).toBe(0);
    const requests = await drain(stage.queue);
    expect(idsOf(requests)).toEqual(many(60).filter((_, index) => index % 3 === 0));
    expect(requests.every(({ properties }) => properties.replyTo === undefined)).toBe(true);
    expect(await listedIds()).toEqual(many(60).filter((_, index) => index % 3 !== 0));
  });

  it('leaves the others in their order when it is to send only some, of letters that were looked at', async () => {
    const ids = await putLetters(100);
    await client.channel.assertQueue(stage.queue);
    expect(await listedIds()).toEqual(ids);
    expect((await dlq('replay', '--limit', '3')).stdout).toContain('replayed 3 ');
    expect(await listedIds()).toEqual(ids.slice(3));
  });

  it('ends when the only letter that fits is refused, with many others behind it', async () => {
    await client.channel.assertQueue(stage.queue, {
      arguments: { 'x-max-length': 0, 'x-overflow': 'reject-publish' },
    });
    const ids = await putLetters(100);
    const { code, stderr } = await dlq('replay', '--id', 'm-0');
    expect(code).toBe(1);
    expect(stderr).toContain(`dlq: queue '${stage.queue}' refuses messages; is it full?\n`);
    expect(new Set(await listedIds())).toEqual(new Set(ids));
  });

  it('killed again and again loses nothing, and doubles no more than what was under way', async () => {
    await client.channel.assertQueue(stage.queue);
    const ids = await putLetters(500);
    const kills = 3;
    for (let kill = 1; kill <= kills; kill++) {
      const replay = new DlqProcess(['replay', '--rate', '400', '--queue', stage.queue]);
      await untilDepth(stage.queue, (depth) => depth >= kill * 100);
      expect(await replay.stop('SIGKILL')).toBeNull();
    }
    await eventually(
      async () => (await client.depth(stage.queue)) + (await client.depth(stage.deadLetters)),
      (depth) => depth >= ids.length,
    );
    expect((await dlq('replay', '--rate', '10000')).code).toBe(0);
    const replayed = idsOf(await drain(stage.queue));
    expect(new Set(replayed)).toEqual(new Set(ids));
    expect(replayed.length).toBeLessThanOrEqual(ids.length + kills * MAX_IN_FLIGHT);
    expect(await client.depth(stage.deadLetters)).toBe(0);
  });

  it('killed while it holds others back loses none of them, nor their order', async () => {
    const ids = many(100);
    await letDie([...ids.map(noJson), noModel('x'), noModel('y')]);
    const replay = new DlqProcess(['replay', '--model', 'letters', '--rate', '0.01', '--queue', stage.queue]);
    await untilDepth(stage.queue, (depth) => depth === 1);
    expect(await replay.stop('SIGKILL')).toBeNull();
    await untilDepth(stage.deadLetters, (depth) => depth >= 101);
    const left = await listedIds();
    expect(left.filter((id) => id !== 'x')).toEqual([...ids, 'y']);
  });

  it('interrupted finishes what is under way, and says how far it came', async () => {
    await client.channel.assertQueue(stage.queue);
    const ids = await putLetters(200);
    const replay = new DlqProcess(['replay', '--rate', '100', '--queue', stage.queue]);
    await untilDepth(stage.queue, (depth) => depth >= 20);
    expect(await replay.stop('SIGINT')).toBe(130);
    const replayed = idsOf(await drain(stage.queue));
    expect(replay.stdout).toBe(
      `replayed ${replayed.length} to '${stage.queue}'; ${200 - replayed.length} of 200 letters left\n`,
    );
    expect([...replayed, ...(await listedIds())]).toEqual(ids);
  });

  it('keeps the letters when there is no request queue', async () => {
    await client.channel.assertQueue(stage.deadLetters);
    await client.send(stage.deadLetters, 'x', { messageId: 'a' });
    const { code, stderr } = await dlq('replay');
    expect(code).toBe(1);
    expect(stderr).toBe(`dlq: there is no queue '${stage.queue}'; is a worker running?\n`);
    expect(await listedIds()).toEqual(['a']);
  });

  it('keeps what a full request queue refuses', async () => {
    const full = { 'x-max-length': 2, 'x-overflow': 'reject-publish' };
    await client.channel.assertQueue(stage.queue, { arguments: full });
    await client.channel.assertQueue(stage.deadLetters);
    const ids = many(30);
    for (const messageId of ids) await client.send(stage.deadLetters, 'x', { messageId });
    const { code, stderr } = await dlq('replay');
    expect(code).toBe(1);
    expect(stderr).toContain(`dlq: queue '${stage.queue}' refuses messages; is it full?\n`);
    const replayed = idsOf(await drain(stage.queue));
    expect(replayed.length).toBeGreaterThan(0);
    expect(new Set([...replayed, ...(await listedIds())])).toEqual(new Set(ids));
    expect(replayed.length + (await client.depth(stage.deadLetters))).toBe(ids.length);
  });
});

describe('dlq purge', () => {
  it('deletes only what fits, and only when told that this is meant', async () => {
    await letDie([noJson('a'), noModel('b'), noJson('c')]);
    expect(await dlq('purge')).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect(await listedIds()).toEqual(['a', 'b', 'c']);
    expect(await dlq('purge', '--code', 'INVALID_JSON', '--yes')).toMatchObject({
      code: 0,
      stdout: `deleted 2 of 3 letters in '${stage.deadLetters}'\n`,
    });
    expect(await listedIds()).toEqual(['b']);
  });
});

describe('dlq', () => {
  it('names a queue that does not exist', async () => {
    expect(await dlq('ls')).toEqual({
      code: 1,
      stdout: '',
      stderr: `dlq: there is no queue '${stage.deadLetters}'; is REQUEST_QUEUE right?\n`,
    });
  });

  it('names a broker that does not answer, without its password', async () => {
    const { code, stderr } = await dlq('ls', '--url', 'amqp://someone:hush@127.0.0.1:1');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^dlq: no RabbitMQ answers at amqp:\/\/someone:\*\*\*@127\.0\.0\.1:1 \(.*\)\n$/);
  });

  it.each([
    ['ls', '--older-than', 'yesterday'],
    ['replay', '--rate', '0'],
    ['ls', '--limit', 'all'],
    ['eat'],
  ])('refuses wrong use: %s', async (...args) => {
    const command = new DlqProcess(args);
    expect(await command.ended()).toBe(2);
    expect(command.stderr).toMatch(/^error: /);
  });

  it.each(['ls', 'show', 'replay', 'purge'])('%s explains itself with --help, by examples', async (name) => {
    const command = new DlqProcess([name, '--help']);
    expect(await command.ended()).toBe(0);
    expect(command.stdout).toMatch(new RegExp(`Examples:\\n  onnxmq dlq ${name}\\b`));
  });

  it('takes broker and queue from the environment, as the worker does', async () => {
    const queue = stage.queueName(`test.${randomUUID()}`);
    await client.channel.assertQueue(stage.queueName(`${queue}.dead`));
    const command = new DlqProcess(['ls'], { REQUEST_QUEUE: queue });
    expect(await command.ended()).toBe(0);
    expect(command.stdout).toContain(`'${queue}.dead'`);
  });
});
