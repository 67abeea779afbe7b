import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Options } from 'amqplib';
import { readTestSet } from '../src/cli/test-set.js';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { type BrokerClient, type Inbox, type Letter } from './support/broker-client.js';
import { canControlBroker, rabbitmqctl } from './support/broker-control.js';
import { TcpProxy } from './support/tcp-proxy.js';
import { eventually } from './support/eventually.js';
import { untilInHand } from './support/probes.js';
import { Stage } from './support/stage.js';

const MAX_MESSAGE_BYTES = 20_000;
const { images } = readTestSet();
const image = images[0] as number[];
const tensor = { name: 'image', shape: [1, 64], datatype: 'FP32', data: image };

interface Case {
  readonly code: string;
  /** What is wrong. */
  readonly with: string;
  readonly body: unknown;
  readonly options?: Options.Publish;
  /** The model that is known by then. */
  readonly model?: string;
}

const inputs = (change: object) => ({ inputs: [{ ...tensor, ...change }] });
const anHourAgo = Math.floor(Date.now() / 1000) - 3600;
const KNOWN = { model: 'digits' };

const CASES: readonly Case[] = [
  { code: 'INVALID_JSON', with: 'a body that is no JSON', body: '{"data": [1, 2' },
  { code: 'INVALID_JSON', with: 'an empty body', body: '' },
  { code: 'INVALID_JSON', with: 'bytes that are no text', body: Buffer.from([0xff, 0x00, 0xfe]) },
  {
    code: 'INVALID_JSON',
    with: 'an id that is no UTF-8',
    body: Buffer.from(`{"id":"\xff\xfe","data":[${image.join()}]}`, 'latin1'),
  },
  { code: 'INVALID_JSON', with: 'NaN as Python writes it', body: `{"data": [${image.with(9, NaN).join()}]}` },
  { code: 'INVALID_REQUEST', with: 'a bare number', body: '42' },
  { code: 'INVALID_REQUEST', with: 'an array', body: '[1, 2]' },
  { code: 'INVALID_REQUEST', with: 'null', body: 'null' },
  { code: 'INVALID_REQUEST', with: 'no data', body: { id: 'x' } },
  { code: 'INVALID_REQUEST', with: 'data that is no array', body: { data: 'seven' } },
  { code: 'INVALID_REQUEST', with: 'inputs that are no array', body: { inputs: { image } } },
  { code: 'INVALID_REQUEST', with: 'an input without a name', body: inputs({ name: undefined }) },
  { code: 'INVALID_REQUEST', with: 'an input without a shape', body: inputs({ shape: undefined }) },
  { code: 'INVALID_REQUEST', with: 'a negative dimension', body: inputs({ shape: [-1, 64] }) },
  { code: 'INVALID_REQUEST', with: 'an input without a datatype', body: inputs({ datatype: undefined }) },
  { code: 'INVALID_REQUEST', with: 'an input without data', body: inputs({ data: undefined }) },
  { code: 'INVALID_REQUEST', with: 'the same input twice', body: { inputs: [tensor, tensor] } },
  {
    code: 'INVALID_REQUEST',
    with: 'an output that the model does not have',
    body: { ...inputs({}), outputs: [{ name: 'nothing' }] },
    ...KNOWN,
  },
  { code: 'INVALID_REQUEST', with: 'a number as id', body: { id: 7, data: image } },
  { code: 'INVALID_REQUEST', with: 'a number as model', body: { model: 7, data: image } },
  {
    code: 'INVALID_REQUEST',
    with: 'a timeout that is no number',
    body: { parameters: { timeout: 'soon' }, data: image },
  },
  {
    code: 'UNSUPPORTED_ENCODING',
    with: 'an unknown content_encoding',
    body: { data: image },
    options: { contentEncoding: 'br' },
  },
  {
    code: 'UNSUPPORTED_ENCODING',
    with: 'a body that is not gzip although it says so',
    body: { data: image },
    options: { contentEncoding: 'gzip' },
  },
  { code: 'TOO_LARGE', with: 'a large body', body: { data: image, more: 'x'.repeat(MAX_MESSAGE_BYTES) } },
  {
    code: 'TOO_LARGE',
    with: 'a small body that is large when decompressed',
    body: gzipSync(JSON.stringify({ data: image, more: 'x'.repeat(100 * MAX_MESSAGE_BYTES) })),
    options: { contentEncoding: 'gzip' },
  },
  { code: 'UNKNOWN_MODEL', with: 'a model that is not served', body: { model: 'letters', data: image } },
  {
    code: 'UNKNOWN_MODEL',
    with: 'a model in its type that is not served',
    body: { data: image },
    options: { type: 'letters' },
  },
  {
    code: 'UNKNOWN_MODEL',
    with: 'the name of a property that every object has',
    body: { data: image },
    options: { headers: { 'x-model': '__proto__' } },
  },
  {
    code: 'UNKNOWN_INPUT',
    with: 'an input that the model does not have',
    body: inputs({ name: 'x' }),
    ...KNOWN,
  },
  { code: 'MISSING_INPUT', with: 'no input at all', body: { inputs: [] }, ...KNOWN },
  { code: 'SHAPE_MISMATCH', with: 'too short a row', body: { data: [1, 2, 3] }, ...KNOWN },
  { code: 'SHAPE_MISMATCH', with: 'an empty row', body: { data: [] }, ...KNOWN },
  { code: 'SHAPE_MISMATCH', with: 'another shape', body: inputs({ shape: [1, 8, 8] }), ...KNOWN },
  {
    code: 'SHAPE_MISMATCH',
    with: 'less data than its shape says',
    body: inputs({ shape: [2, 64] }),
    ...KNOWN,
  },
  { code: 'SHAPE_MISMATCH', with: 'no rows', body: inputs({ shape: [0, 64], data: [] }), ...KNOWN },
  {
    code: 'SHAPE_MISMATCH',
    with: 'a shape of more elements than memory has',
    body: inputs({ shape: [2 ** 50, 64] }),
    ...KNOWN,
  },
  { code: 'DATATYPE_MISMATCH', with: 'another datatype', body: inputs({ datatype: 'INT64' }), ...KNOWN },
  { code: 'DATATYPE_MISMATCH', with: 'an unheard-of datatype', body: inputs({ datatype: 'FP12' }), ...KNOWN },
  {
    code: 'DATATYPE_MISMATCH',
    with: 'text among the numbers',
    body: { data: image.with(9, 'nine' as never) },
    ...KNOWN,
  },
  {
    code: 'DATATYPE_MISMATCH',
    with: 'a number that is too large',
    body: `{"data": [${image.with(9, 1e300).join()}]}`,
    ...KNOWN,
  },
  {
    code: 'DEADLINE_EXCEEDED',
    with: 'a timeout shorter than its I/O',
    body: { parameters: { timeout: 1 }, data: image },
    ...KNOWN,
  },
  {
    code: 'DEADLINE_EXCEEDED',
    with: 'an expiration that has passed since its timestamp',
    body: { data: image },
    options: { expiration: '60000', timestamp: anHourAgo },
    ...KNOWN,
  },
];

describe('a request that gets no result', () => {
  const stage = new Stage();
  let client: BrokerClient;
  let dead: Inbox;

  beforeAll(async () => {
    await stage.worker({ MAX_MESSAGE_BYTES: String(MAX_MESSAGE_BYTES), PREPROCESS_IO_DELAY_MS: '20' });
    client = await stage.client();
    dead = await client.collect(stage.deadLetters);
  });

  afterAll(() => stage.clear());

  it.each(CASES)(
    'for $with gets $code, and is kept with the reason',
    async ({ code, body, options, model }) => {
      const name = randomUUID();
      const received = {
        messageId: name,
        contentType: 'text/x-anything',
        contentEncoding: options?.contentEncoding,
        timestamp: options?.timestamp ?? 1_700_000_000,
        appId: 'the test',
        priority: 3,
        type: undefined,
      };
      const answer = await client.ask(stage.queue, body, {
        ...received,
        ...options,
        headers: { 'x-of-its-own': 'kept', ...(options?.headers as object) },
        correlationId: name,
      });
      const hasOwnId = typeof body === 'object' && typeof (body as { id?: unknown })?.id === 'string';
      expect(answer.body).toEqual({
        id: hasOwnId ? (body as { id: string }).id : name,
        error: expect.stringMatching(/\w{3}/),
        code,
      });
      expect(answer.properties).toMatchObject({
        type: 'inference.error',
        deliveryMode: 2,
        contentType: 'application/json',
      });

      const letter = await dead.answerTo(name);
      expect(letter.content.equals(bytesOf(body))).toBe(true);
      expect(letter.properties).toMatchObject({
        ...received,
        type: options?.type,
        correlationId: name,
        replyTo: client.replyQueue,
        deliveryMode: 2,
      });
      expect(letter.headers).toMatchObject({
        'x-of-its-own': 'kept',
        'x-error-code': code,
        'x-error-message': answer.body['error'],
        'x-attempts': 1,
        'x-first-failed-at': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/),
        ...(model ? { 'x-model': model } : {}),
      });
    },
  );

  it.each([
    ['gzip', gzipSync],
    ['no compression', (body: string) => Buffer.from(body)],
  ] as const)('is named by the id in its body (%s)', async (encoding, encode) => {
    const body = encode(JSON.stringify({ id: 'by name', data: [1] }));
    const options = { messageId: 'another', ...(encoding === 'gzip' ? { contentEncoding: encoding } : {}) };
    const answer = await client.ask(stage.queue, body, options);
    expect(answer.body).toMatchObject({ id: 'by name', code: 'SHAPE_MISMATCH' });
  });

  it('learns what the model expects', async () => {
    const { body } = await client.ask(stage.queue, { data: [1, 2, 3] });
    expect(body['error']).toMatch(/\b3\b.*image FP32\[.*64\]/);
  });

  it('learns where its body stops being JSON, and what to send for NaN', async () => {
    const { body } = await client.ask(stage.queue, '{"id": "NaN", "data": [0.5, NaN]}');
    expect(body['error']).toMatch(/NaN at byte offset 28; send null for NaN/);
  });

  it('gets an answer of a deterministic message_id', async () => {
    const [first, second] = [
      await client.ask(stage.queue, { data: [1] }, { messageId: 'twice' }),
      await client.ask(stage.queue, { data: [1] }, { messageId: 'twice' }),
    ];
    expect(first?.properties.messageId).toEqual(expect.any(String));
    expect(second?.properties.messageId).toBe(first?.properties.messageId);
  });

  it('does no harm to the requests around it', async () => {
    const bodies = Array.from({ length: 400 }, (_, index) =>
      index % 4 === 0 ? CASES[(index / 4) % 19]?.body : { data: images[index] },
    );
    const good = await client.ask(stage.queue, { data: images[1] });
    const answers = await Promise.all(bodies.map((body) => client.ask(stage.queue, body)));
    for (const [index, answer] of answers.entries())
      expect(answer.properties.type).toBe(index % 4 === 0 ? 'inference.error' : 'inference.result');
    expect(scoresOf(answers[1])).toEqual(scoresOf(good).map((score) => expect.closeTo(score, 5)));
  });

  it('is kept also when nobody waits for its answer', async () => {
    await client.send(stage.queue, { data: [1] }, { replyTo: undefined, correlationId: 'alone' });
    expect((await dead.answerTo('alone')).headers['x-error-code']).toBe('SHAPE_MISMATCH');
  });

  it('keeps its own reason when the queue for its answer is gone', async () => {
    await client.send(stage.queue, { data: [1] }, { replyTo: 'test.gone', correlationId: 'bad and gone' });
    expect((await dead.answerTo('bad and gone')).headers['x-error-code']).toBe('SHAPE_MISMATCH');
  });
});

describe('a result whose queue is gone', () => {
  const stage = new Stage();
  afterAll(() => stage.clear());

  it('leaves the request in the dead-letter queue with REPLY_UNROUTABLE', async () => {
    await stage.worker();
    const client = await stage.client();
    const dead = await client.collect(stage.deadLetters);
    await client.send(stage.queue, { data: image }, { replyTo: 'test.gone', correlationId: 'gone' });
    const letter = await dead.answerTo('gone');
    expect(letter.body).toEqual({ data: image });
    expect(letter.properties.replyTo).toBe('test.gone');
    expect(letter.headers).toMatchObject({
      'x-error-code': 'REPLY_UNROUTABLE',
      'x-error-message': expect.stringContaining('test.gone'),
      'x-attempts': 1,
      'x-model': 'digits',
    });
    // The others are not held up by it.
    const { properties } = await client.ask(stage.queue, { data: image });
    expect(properties.type).toBe('inference.result');
  });
});

describe('a direct reply to a name that RabbitMQ has not made', () => {
  const stage = new Stage();
  afterAll(() => stage.clear());

  it('costs nobody else an answer, and does not come again and again', async () => {
    const worker = await stage.worker();
    const client = await stage.client();
    await client.send(stage.queue, { data: image }, { replyTo: 'amq.rabbitmq.reply-to.x.y' });
    const answers = await Promise.all(images.map((data) => client.ask(stage.queue, { data })));
    expect(answers.map(({ properties }) => properties.type)).toEqual(images.map(() => 'inference.result'));
    await untilInHand(worker, 0);
  });
});

describe('an input that the runtime fails on', () => {
  const stage = new Stage();
  afterAll(() => stage.clear());

  it('is answered with INFERENCE_FAILED and kept', async () => {
    await stage.worker({ MODELS_DIR: 'test/support/models' });
    const client = await stage.client();
    const dead = await client.collect(stage.deadLetters);
    const request = { id: 'far', model: 'lookup', data: [99] };
    const answer = await client.ask(stage.queue, request, { correlationId: 'far' });
    expect(answer.body).toMatchObject({ id: 'far', code: 'INFERENCE_FAILED' });
    expect(answer.body['error']).toContain('lookup');
    const letter = await dead.answerTo('far');
    expect(letter.body).toEqual(request);
    expect(letter.properties).toMatchObject({ correlationId: 'far', replyTo: client.replyQueue });
    expect(letter.headers).toMatchObject({
      'x-error-code': 'INFERENCE_FAILED',
      'x-error-message': answer.body['error'],
      'x-first-failed-at': expect.any(String),
      'x-model': 'lookup',
    });
    expect(letter.headers['x-attempts']).toBe(1);
    expect(client.replies.letters).toHaveLength(1);
  });
});

describe('a dead letter', () => {
  const stage = new Stage();
  let worker: WorkerProcess;
  let client: BrokerClient;

  beforeEach(async () => {
    worker = await stage.worker();
    client = await stage.client();
  });

  afterEach(() => stage.clear());

  it('stays, also when its message was to expire', async () => {
    await client.ask(stage.queue, { data: [1] }, { expiration: '60000', correlationId: 'short-lived' });
    const dead = await client.collect(stage.deadLetters);
    const { properties, headers } = await dead.answerTo('short-lived');
    expect(properties.expiration).toBeUndefined();
    expect(headers).toMatchObject({ 'x-error-code': 'SHAPE_MISMATCH', 'x-expiration': '60000' });
  });

  it('is not copied to the queues that its message was copied to', async () => {
    const copies = stage.queueName();
    await client.channel.assertQueue(copies);
    await client.ask(stage.queue, { data: [1] }, { CC: copies, correlationId: 'copied' });
    const dead = await client.collect(stage.deadLetters);
    await dead.answerTo('copied');
    // Settled: the broker has confirmed all that was published.
    await untilInHand(worker, 0);
    expect(await client.depth(copies)).toBe(1);
  });

  it('is all that is left of a request whose id is no text, and too long as such, while others are answered', async () => {
    const id = 'binary'.padEnd(100, '-');
    replaceInWhatIsSent(client, id, 0xff);
    await client.send(stage.queue, { data: image }, { correlationId: id, messageId: 'readable' });
    const { body } = await client.ask(stage.queue, { data: image });
    expect(body).toMatchObject({ model_name: 'digits' });
    const dead = await client.collect(stage.deadLetters);
    const [letter] = await dead.received(1);
    expect(letter?.properties).toMatchObject({ messageId: 'readable', correlationId: undefined });
    expect(letter?.headers).toMatchObject({ 'x-error-code': 'INVALID_REQUEST' });
    await untilInHand(worker, 0);
  });

  it('can be sent again as it is, once the reason is gone', async () => {
    const request = { data: image, id: 'again' };
    const { properties } = await client.ask(stage.queue, request, { headers: { 'x-model': 'later' } });
    const dead = await client.collect(stage.deadLetters);
    const letter = await dead.answerTo(String(properties.correlationId));
    const answer = await client.ask(stage.queue, letter.content, {
      ...letter.properties,
      headers: { ...letter.headers, 'x-model': 'digits' },
      correlationId: 'replayed',
    });
    expect(answer.body).toMatchObject({ id: 'again', model_name: 'digits' });
  });
});

describe('the log', () => {
  const MARKER = 'sEcReT-bOdY';
  const PASSWORD = 'sEcReT-pAsSwOrD';
  const stage = new Stage();
  afterAll(() => stage.clear());

  it('never holds what is in a body', async () => {
    const worker = await stage.worker({ LOG_LEVEL: 'debug', MAX_MESSAGE_BYTES: '5000' });
    const client = await stage.client();
    const bodies = [
      MARKER,
      `{"data": [${MARKER}]}`,
      `{"data": [NaN, "${MARKER}"]}`,
      Buffer.from(`{"\xff": "${MARKER}"}`, 'latin1'),
      JSON.stringify(MARKER),
      JSON.stringify([MARKER]),
      { data: MARKER },
      { data: [MARKER] },
      { data: image.map(() => MARKER) },
      { data: { [MARKER]: 1 } },
      { data: image, note: MARKER },
      { data: [1], note: MARKER },
      { data: image, parameters: { timeout: MARKER } },
      { data: image, note: MARKER.repeat(1000) },
      { pattern: 'infer', data: MARKER },
      { pattern: MARKER, data: image, id: '1' },
      { inputs: MARKER },
      inputs({ datatype: MARKER }),
      inputs({ shape: MARKER }),
      inputs({ data: MARKER }),
      inputs({ data: image.map(() => MARKER) }),
    ];
    await Promise.all(bodies.map((body) => client.ask(stage.queue, body)));
    await client.ask(stage.queue, MARKER, { contentEncoding: 'gzip' });
    await client.send(stage.queue, { data: image, note: MARKER }, { replyTo: 'test.gone' });
    expect(await worker.stop()).toBe(0);
    expect(JSON.stringify(worker.logs) + worker.errors).not.toContain(MARKER);
    expect(worker.logs.filter(({ code }) => code !== undefined).length).toBeGreaterThan(15);
  });

  it('never holds the password of a broker that is not there', async () => {
    const proxy = await TcpProxy.open();
    await proxy.refuse();
    const url = proxy.url({ user: 'someone', password: PASSWORD });
    const worker = stage.launch({ RABBITMQ_URL: url, LOG_LEVEL: 'debug' });
    await worker.log(({ msg }) => msg.includes('waiting for RabbitMQ at amqp://someone:***@127.0.0.1'));
    await worker.stop();
    expect(JSON.stringify(worker.logs) + worker.errors).not.toContain(PASSWORD);
  });

  it('never holds a password that the broker refuses', async () => {
    const proxy = await TcpProxy.open();
    stage.atEnd(() => proxy.refuse());
    const url = proxy.url({ user: 'nobody', password: PASSWORD });
    const worker = stage.launch({ RABBITMQ_URL: url, LOG_LEVEL: 'debug' });
    await worker.log(({ msg }) => msg.includes('amqp://nobody:***@127.0.0.1'));
    await worker.stop();
    expect(JSON.stringify(worker.logs) + worker.errors).not.toContain(PASSWORD);
  });

  if (canControlBroker)
    it('never holds the password that is in use', async () => {
      const user = `test-${randomUUID()}`;
      await rabbitmqctl('add_user', user, PASSWORD);
      stage.atEnd(() => rabbitmqctl('delete_user', user));
      await rabbitmqctl('set_permissions', user, '.*', '.*', '.*');
      const proxy = await TcpProxy.open();
      stage.atEnd(() => proxy.refuse());
      const worker = await stage.worker({
        RABBITMQ_URL: proxy.url({ user, password: PASSWORD }),
        LOG_LEVEL: 'debug',
      });
      proxy.cut();
      await worker.log(({ msg }) => msg.includes('connection lost'));
      await eventually(
        () => Promise.resolve(worker.logs.filter(({ msg }) => msg.startsWith('consuming from')).length),
        (count) => count === 2,
      );
      expect(await worker.stop()).toBe(0);
      expect(JSON.stringify(worker.logs) + worker.errors).not.toContain(PASSWORD);
    });
});

function scoresOf(answer: Letter | undefined): number[] {
  const outputs = answer?.body['outputs'] as { data: number[] }[] | undefined;
  return outputs?.[0]?.data ?? [];
}

function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

/** amqplib sends text; other clients send any bytes. */
function replaceInWhatIsSent(client: BrokerClient, text: string, byte: number): void {
  const { stream } = (client.channel as unknown as { connection: { stream: Duplex } }).connection;
  const write = stream.write.bind(stream) as (chunk: Buffer) => boolean;
  stream.write = (chunk: Buffer) => {
    const at = chunk.indexOf(text);
    return write(at < 0 ? chunk : Buffer.from(chunk).fill(byte, at, at + text.length));
  };
}
