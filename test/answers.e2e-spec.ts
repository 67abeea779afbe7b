import { randomUUID } from 'node:crypto';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type ClientProxy, ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { readTestSet } from '../src/cli/test-set.js';
import { ModelRepository } from '../src/models/model.repository.js';
import { runTogether } from '../src/models/batch.js';
import { OnnxSession } from '../src/models/onnx.session.js';
import { BROKER_URL, type BrokerClient, type Inbox, type Letter } from './support/broker-client.js';
import { oneRow } from './support/rows.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

interface V2Response {
  readonly id?: string;
  readonly model_name: string;
  readonly outputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly datatype: string;
    readonly data: readonly number[];
  }[];
  readonly parameters: { readonly label: readonly string[]; readonly score: readonly number[] };
}

const { images, labels } = readTestSet();
const stage = new Stage();
const resultsQueue = stage.queueName();
/** The label that the model gives to each image when it is asked one by one. */
let given: string[];
let client: BrokerClient;
let results: Inbox;

beforeAll(async () => {
  await stage.worker({ RESULTS_QUEUE: resultsQueue });
  given = await labelsGivenOneByOne();
  client = await stage.client();
  results = await client.collect(resultsQueue);
});

afterAll(() => stage.clear());

describe('answers under concurrency', () => {
  it('answers every held-out image with its own label, in whatever order they come', async () => {
    const sent = shuffled(images.map((_, index) => index));
    await Promise.all(
      sent.map((index) => client.send(stage.queue, { data: images[index] }, { correlationId: `i${index}` })),
    );
    const answers = await Promise.all(sent.map((index) => client.replies.answerTo(`i${index}`)));
    expect(answers.map((answer) => v2(answer).parameters.label[0])).toEqual(
      sent.map((index) => given[index]),
    );
    // Alone or in company, the model errs on a few of them.
    const right = images.filter((_, index) => given[index] === String(labels[index]));
    expect(right.length).toBeGreaterThan(images.length * 0.97);
  });

  it('gives each of many random inputs what the model gives for it alone', async () => {
    const session = await digitsSession();
    const inputs = Array.from({ length: 600 }, () => randomImage());
    await Promise.all(
      inputs.map((data, index) => client.send(stage.queue, { data }, { correlationId: `r${index}` })),
    );
    const answers = await Promise.all(inputs.map((_, index) => client.replies.answerTo(`r${index}`)));
    const expected: number[][] = [];
    for (const input of inputs) expected.push(await inferAlone(session, input));
    await session.release();
    const errors = answers.map((answer, index) => distance(v2(answer).outputs[0]?.data, expected[index]));
    expect(Math.max(...errors)).toBeLessThan(1e-5);
    // And the inputs are different enough for swapped answers to show.
    expect(new Set(expected.map((scores) => scores.join())).size).toBe(inputs.length);
  });

  it('gives each row of a request its own answer, in order, also when requests share batches', async () => {
    const session = await digitsSession();
    const requests = Array.from({ length: 60 }, (_, index) =>
      Array.from({ length: (index % 7) + 1 }, () => randomImage()),
    );
    const answers = await Promise.all(requests.map((rows) => client.ask(stage.queue, tensorRequest(rows))));
    for (const [index, rows] of requests.entries()) {
      const output = v2(answers[index]).outputs[0];
      expect(output?.shape).toEqual([rows.length, 10]);
      const expected = [];
      for (const row of rows) expected.push(...(await inferAlone(session, row)));
      expect(distance(output?.data, expected)).toBeLessThan(1e-5);
    }
    await session.release();
  });
});

describe('ways to ask', () => {
  it('answers the shorthand with a V2 response', async () => {
    const { body, properties } = await client.ask(
      stage.queue,
      { id: 'a', data: images[0] },
      { correlationId: 'c' },
    );
    expect(body).toMatchObject({
      model_name: 'digits',
      model_version: '1',
      id: 'a',
      outputs: [{ name: 'probabilities', shape: [1, 10], datatype: 'FP32' }],
      parameters: { label: [given[0]] },
    });
    expect((body as unknown as V2Response).parameters.score[0]).toBeGreaterThan(0.5);
    expect(properties).toMatchObject({
      correlationId: 'c',
      deliveryMode: 2,
      type: 'inference.result',
      contentType: 'application/json',
    });
  });

  it('answers V2 requests whether their data is flat or nested', async () => {
    const rows = [images[0], images[1], images[2]] as number[][];
    const flat = await client.ask(stage.queue, tensorRequest(rows, rows.flat()));
    const nested = await client.ask(stage.queue, tensorRequest(rows, rows));
    expect(v2(flat).parameters.label).toEqual([0, 1, 2].map((index) => given[index]));
    expect(v2(flat).outputs[0]?.shape).toEqual([3, 10]);
    expect(nested.body['outputs']).toEqual(flat.body['outputs']);
  });

  it('answers a V2 request of one row', async () => {
    const { body } = await client.ask(stage.queue, { id: 'one', ...tensorRequest([images[4] as number[]]) });
    expect(body).toMatchObject({
      id: 'one',
      outputs: [{ shape: [1, 10] }],
      parameters: { label: [given[4]] },
    });
  });

  it('answers a V2 request of more rows than fit a batch', async () => {
    const rows = images.slice(0, 150) as number[][];
    const answer = await client.ask(stage.queue, tensorRequest(rows));
    expect(v2(answer).outputs[0]?.shape).toEqual([150, 10]);
    expect(v2(answer).parameters.label).toEqual(given.slice(0, 150));
  });

  it('gives only the outputs that are asked for', async () => {
    const answer = await client.ask(stage.queue, {
      ...tensorRequest([images[0] as number[]]),
      outputs: [{ name: 'probabilities' }],
    });
    expect(v2(answer).outputs.map(({ name }) => name)).toEqual(['probabilities']);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['gzip:UTF-8', gzipSync],
    ['gzip, UTF-8', gzipSync],
    ['GZIP', gzipSync],
  ] as const)('reads a body compressed with %s', async (contentEncoding, compress) => {
    const body = compress(JSON.stringify({ id: 'small', data: images[5] }));
    const answer = await client.ask(stage.queue, body, { contentEncoding });
    expect(answer.body).toMatchObject({ id: 'small', parameters: { label: [given[5]] } });
  });

  it('takes null for what a request does not give, and reads over a byte order mark', async () => {
    const request = {
      id: null,
      model: null,
      model_name: null,
      parameters: null,
      outputs: null,
      inputs: null,
    };
    const body = `\ufeff${JSON.stringify({ ...request, data: images[3] })}`;
    const answer = await client.ask(stage.queue, body, { messageId: 'nulls' });
    expect(answer.body).toMatchObject({ id: 'nulls', parameters: { label: [given[3]] } });
  });

  it.each([
    ['the header x-model', {}, { headers: { 'x-model': 'digits' } }],
    ['the field model', { model: 'digits' }, {}],
    ['the field model_name', { model_name: 'digits' }, {}],
    ['the property type', {}, { type: 'digits' }],
  ])('serves the model that %s names', async (_, fields, options) => {
    const { body } = await client.ask(stage.queue, { ...fields, data: images[6] }, options);
    expect(body).toMatchObject({ model_name: 'digits', parameters: { label: [given[6]] } });
  });

  it('prefers the header x-model to the body, and the body to the property type', async () => {
    const byHeader = await client.ask(
      stage.queue,
      { model: 'none', data: images[6] },
      { headers: { 'x-model': 'digits' } },
    );
    const byBody = await client.ask(stage.queue, { model: 'digits', data: images[6] }, { type: 'none' });
    expect([byHeader, byBody].map(({ body }) => body['model_name'])).toEqual(['digits', 'digits']);
  });
});

describe('what an answer carries', () => {
  it('names the request by its id, else by message_id, else by correlation_id', async () => {
    const properties = { messageId: 'm1', correlationId: 'c1' };
    const byId = await client.ask(stage.queue, { id: 'i1', data: images[0] }, properties);
    const byMessageId = await client.ask(
      stage.queue,
      { data: images[0] },
      { ...properties, correlationId: 'c2' },
    );
    const byCorrelationId = await client.ask(stage.queue, { data: images[0] }, { correlationId: 'c3' });
    expect([byId, byMessageId, byCorrelationId].map(({ body }) => body['id'])).toEqual(['i1', 'm1', 'c3']);
  });

  it('has the same message_id whenever the same request is answered, and another for another request', async () => {
    const ask = async (messageId: string | undefined, data: unknown) => {
      const { replies } = client;
      const count = replies.letters.length;
      await client.send(stage.queue, { data }, { messageId });
      return (await replies.received(count + 1))[count]?.properties.messageId as unknown;
    };
    const named = [await ask('first', images[0]), await ask('first', images[0]), await ask('2nd', images[0])];
    const nameless = [await ask(undefined, images[1]), await ask(undefined, images[1])];
    const another = await ask(undefined, images[2]);
    expect(named[1]).toBe(named[0]);
    expect(nameless[1]).toBe(nameless[0]);
    expect(new Set([...named, ...nameless, another]).size).toBe(4);
    expect([...named, ...nameless]).not.toContain(undefined);
  });

  it('continues the trace of its request', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { headers } = await client.ask(stage.queue, { data: images[0] }, { headers: { traceparent } });
    expect(headers['traceparent']).toBe(traceparent);
  });

  it('comes to RESULTS_QUEUE when the request names no queue', async () => {
    await client.send(stage.queue, { data: images[7] }, { replyTo: undefined, correlationId: 'no reply' });
    const answer = await results.answerTo('no reply');
    expect(v2(answer).parameters.label).toEqual([given[7]]);
    expect(answer.properties).toMatchObject({ type: 'inference.result', deliveryMode: 2 });
  });

  it('comes only to the queue that the request names', async () => {
    await client.ask(stage.queue, { data: images[7] }, { correlationId: 'with reply' });
    await client.send(stage.queue, { data: images[7] }, { replyTo: undefined, correlationId: 'marker' });
    await results.answerTo('marker');
    expect(results.letters.map(({ properties }) => properties.correlationId as unknown)).not.toContain(
      'with reply',
    );
  });
});

describe('the client of NestJS', () => {
  let proxy: ClientProxy;

  beforeAll(async () => {
    Logger.overrideLogger(false); // the proxy's own lines
    proxy = ClientProxyFactory.create({
      transport: Transport.RMQ,
      options: { urls: [BROKER_URL], queue: stage.queue, noAssert: true },
    });
    await proxy.connect();
  });

  afterAll(() => proxy.close());

  it.each(['infer', { cmd: 'infer' }])('gets the result of send(%j)', async (pattern) => {
    const answer = await firstValueFrom(proxy.send<V2Response>(pattern, { id: 'nest', data: images[8] }));
    expect(answer).toMatchObject({
      model_name: 'digits',
      id: 'nest',
      parameters: { label: [given[8]] },
    });
  });

  it('gets its own result for each of many sends at once', async () => {
    const answers = await Promise.all(
      images.slice(0, 100).map((data) => firstValueFrom(proxy.send<V2Response>('infer', { data }))),
    );
    expect(answers.map(({ parameters }) => parameters.label[0])).toEqual(given.slice(0, 100));
  });

  it('sends V2 requests too', async () => {
    const answer = await firstValueFrom(
      proxy.send<V2Response>('infer', tensorRequest(images.slice(0, 2) as number[][])),
    );
    expect(answer.outputs[0]?.shape).toEqual([2, 10]);
  });

  it('sees a failed request as an error', async () => {
    const failure = firstValueFrom(proxy.send('infer', { id: 'bad', data: [1, 2] }));
    await expect(failure).rejects.toMatchObject({ id: 'bad', code: 'SHAPE_MISMATCH' });
  });

  it('sees a pattern that nobody serves as an error', async () => {
    const failure = firstValueFrom(proxy.send('classify', { data: images[0] }));
    await expect(failure).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('gets the results of emit() in RESULTS_QUEUE', async () => {
    await firstValueFrom(proxy.emit('infer', { id: 'event', data: images[9] }), { defaultValue: undefined });
    const isOurs = (letter: Letter) => letter.content.includes('"event"');
    const letters = await eventually(
      async () => results.letters.filter(isOurs),
      (found) => found.length > 0,
    );
    expect(letters[0]?.body).toMatchObject({
      response: { id: 'event', parameters: { label: [given[9]] } },
      isDisposed: true,
    });
  });
});

describe('a worker without RESULTS_QUEUE', () => {
  const own = new Stage();
  afterAll(() => own.clear());

  it('counts and acknowledges what nobody waits for', async () => {
    const lonely = await own.worker();
    await client.send(own.queue, { data: images[0] }, { replyTo: undefined });
    await client.send(own.queue, { data: [1] }, { replyTo: undefined });
    let answered = 0;
    await lonely.log((line) => (answered += Number(line['answered'] ?? 0)) === 1);
    const answer = await client.ask(own.queue, { data: images[0] });
    expect(answer.properties.type).toBe('inference.result');
    expect(await lonely.stop()).toBe(0);
    expect(await client.depth(own.queue)).toBe(0);
    expect(await client.depth(own.deadLetters)).toBe(1);
  });
});

function v2(letter: Letter | undefined): V2Response {
  return letter?.body as unknown as V2Response;
}

function tensorRequest(rows: readonly (readonly number[])[], data: unknown = rows.flat()) {
  return { inputs: [{ name: 'image', shape: [rows.length, 64], datatype: 'FP32', data }] };
}

/** 64 single-precision numbers between 0 and 16, so that JSON and the model see the same ones. */
function randomImage(): number[] {
  return Array.from({ length: 64 }, () => Math.fround(Math.random() * 16));
}

function digitsFile() {
  return ModelRepository.open('models').resolve('digits');
}

function digitsSession(): Promise<OnnxSession> {
  return OnnxSession.load(digitsFile());
}

async function inferAlone(session: OnnxSession, image: readonly number[]): Promise<number[]> {
  const scale = digitsFile().config.preprocess.scale as number;
  const row = oneRow(Float32Array.from(image, (pixel) => pixel * scale));
  const [output] = await runTogether(session, [row]);
  return Array.from((output?.tensors[0] ?? []) as Float32Array);
}

async function labelsGivenOneByOne(): Promise<string[]> {
  const session = await digitsSession();
  const found = [];
  for (const image of images) {
    const scores = await inferAlone(session, image);
    found.push(String(scores.indexOf(Math.max(...scores))));
  }
  await session.release();
  return found;
}

/** The largest difference between two lists; infinite where their lengths differ. */
function distance(left: readonly number[] = [], right: readonly number[] = []): number {
  if (left.length !== right.length) return Infinity;
  return Math.max(0, ...left.map((value, index) => Math.abs(value - (right[index] ?? NaN))));
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = new Map(items.map((item) => [item, randomUUID()]));
  return items.toSorted((a, b) => ((order.get(a) ?? '') < (order.get(b) ?? '') ? -1 : 1));
}
