import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PROJECT_FOLDER } from '../src/cli/test-set.js';
import { type LogLine } from '../src/cli/worker-process.js';
import { type BrokerClient } from './support/broker-client.js';
import { eventually } from './support/eventually.js';
import { LOOKUP, ModelOutage, SCARCE_LOOKUP } from './support/model-outage.js';
import { untilInHand } from './support/probes.js';
import { nth, Stage } from './support/stage.js';

const isRetry = ({ retryInMs }: LogLine) => retryInMs !== undefined;

describe('a request that fails for a reason that may pass', () => {
  let stage: Stage;
  let client: BrokerClient;

  beforeEach(async () => {
    stage = new Stage();
    client = await stage.client();
  });

  afterEach(() => stage.clear());

  it('is answered once the reason has passed, and is nowhere else by then', async () => {
    const outage = new ModelOutage(stage);
    const worker = await stage.worker({
      ...outage.env,
      RETRY_DELAYS_MS: '100,100,100,100,100,100,100,100',
    });
    outage.begin();
    const dead = await client.collect(stage.deadLetters);
    const answer = client.ask(stage.queue, { id: 'r', data: [3] }, { correlationId: 'c', priority: 1 });
    await worker.log(nth(2, isRetry));
    outage.end();
    const { body, properties } = await answer;
    expect(body).toMatchObject({ id: 'r', outputs: [{ data: [9] }] });
    expect(properties.correlationId).toBe('c');
    await untilInHand(worker, 0);
    expect(client.replies.letters).toHaveLength(1);
    expect(dead.letters).toEqual([]);
    for (const queue of [stage.queue, stage.retryQueue(100)]) expect(await client.depth(queue)).toBe(0);
  });

  it('is tried again as often as there are delays, then answered and kept once, with what happened', async () => {
    const worker = await stage.worker({ ...SCARCE_LOOKUP, RETRY_DELAYS_MS: '50,150' });
    const dead = await client.collect(stage.deadLetters);
    const request = { id: 'far', data: [99] };
    const options = { messageId: 'm', headers: { own: 'kept' }, contentType: 'application/json' };
    const answer = await client.ask(stage.queue, request, { correlationId: 'far', ...options });
    expect(answer.body).toMatchObject({ id: 'far', code: 'INFERENCE_FAILED' });
    const letter = await dead.answerTo('far');
    expect(letter.body).toEqual(request);
    expect(letter.properties).toMatchObject({ messageId: 'm', contentType: 'application/json' });
    expect(letter.headers).toMatchObject({
      own: 'kept',
      'x-attempts': 3,
      'x-error-code': 'INFERENCE_FAILED',
    });
    const retries = worker.logs.filter(isRetry);
    expect(retries.map(({ attempt, retryInMs }) => [attempt, retryInMs])).toEqual([
      [1, 50],
      [2, 150],
    ]);
    const firstFailedAt = Date.parse(String(letter.headers['x-first-failed-at']));
    expect(Date.now() - firstFailedAt).toBeGreaterThanOrEqual(190); // the delays lie between
    await untilInHand(worker, 0);
    expect(client.replies.letters).toHaveLength(1);
    expect(dead.letters).toHaveLength(1);
  });

  it('is not tried again where it is at fault itself', async () => {
    const worker = await stage.worker({ ...SCARCE_LOOKUP, RETRY_DELAYS_MS: '50' });
    const answer = await client.ask(stage.queue, { data: [1, 2, 3] });
    expect(answer.body).toMatchObject({ code: 'SHAPE_MISMATCH' });
    expect(worker.logs.filter(isRetry)).toEqual([]);
  });

  it('waits at the broker: a worker that ends meanwhile takes nothing along', async () => {
    const worker = await stage.worker({ ...SCARCE_LOOKUP, RETRY_DELAYS_MS: '500' });
    await client.send(stage.queue, { id: 'far', data: [99] }, { correlationId: 'far' });
    await worker.log(isRetry);
    await untilInHand(worker, 0);
    await worker.stop('SIGKILL');
    expect(client.replies.letters).toEqual([]);
    await eventually(
      () => client.depth(stage.queue),
      (ready) => ready === 1,
    );
    await stage.worker({ ...SCARCE_LOOKUP, RETRY_DELAYS_MS: '500' });
    expect((await client.replies.answerTo('far')).body).toMatchObject({ code: 'INFERENCE_FAILED' });
  });
});

describe('a request for a model that its worker does not have', () => {
  const ECHO = 'test/support/models/echo';
  let stage: Stage;
  let client: BrokerClient;
  /** Settings of a worker that has one model, and not the one asked for. */
  let withoutModel: Readonly<Record<string, string>>;

  beforeEach(async () => {
    stage = new Stage();
    client = await stage.client();
    const folder = mkdtempSync(join(tmpdir(), 'onnxmq-test-'));
    stage.atEnd(async () => rmSync(folder, { recursive: true }));
    symlinkSync(join(PROJECT_FOLDER, ECHO), join(folder, 'echo'));
    withoutModel = { MODELS_DIR: folder };
  });

  afterEach(() => stage.clear());

  it('is answered by a worker that has it, while one takes the place of the other', async () => {
    const REQUESTS = 200;
    const RETRY_DELAYS_MS = '3000';
    const old = await stage.worker({ ...withoutModel, RETRY_DELAYS_MS });
    const allTried = old.log(nth(REQUESTS, isRetry));
    for (let index = 0; index < REQUESTS; index++)
      await client.send(
        stage.queue,
        { model: 'lookup', data: [index % 10] },
        { correlationId: String(index) },
      );
    await allTried;
    const [next] = await Promise.all([
      stage.worker({ ...LOOKUP, RETRY_DELAYS_MS }),
      client.send(stage.queue, { model: 'lookup', data: [3] }, { correlationId: 'last' }),
    ]);
    expect(await old.stop()).toBe(0);
    const answers = await client.replies.answersTo(REQUESTS + 1);
    for (const [id, [answer]] of answers) {
      const square = id === 'last' ? 9 : (Number(id) % 10) ** 2;
      expect(answer?.body).toMatchObject({ model_name: 'lookup', outputs: [{ data: [square] }] });
    }
    await untilInHand(next, 0);
    expect(client.replies.letters).toHaveLength(REQUESTS + 1);
    expect(await client.depth(stage.deadLetters)).toBe(0);
  });

  it('is answered after four more tries, each after the first delay, where nobody has it', async () => {
    const worker = await stage.worker({ ...withoutModel, RETRY_DELAYS_MS: '50,60000' });
    const dead = await client.collect(stage.deadLetters);
    const { body } = await client.ask(stage.queue, { model: 'lookup', data: [3] }, { correlationId: 'c' });
    expect(body).toMatchObject({ code: 'UNKNOWN_MODEL' });
    const letter = await dead.answerTo('c');
    expect(letter.headers).toMatchObject({ 'x-error-code': 'UNKNOWN_MODEL', 'x-attempts': 5 });
    const retries = worker.logs.filter(isRetry).map(({ attempt, retryInMs }) => [attempt, retryInMs]);
    expect(retries).toEqual([1, 2, 3, 4].map((attempt) => [attempt, 50]));
  });

  it.each([
    ['its deadline would be over by then', '60000', { expiration: '5000' }],
    ['nothing is tried again', 'none', {}],
  ])('is answered at once where %s', async (_, RETRY_DELAYS_MS, options) => {
    const worker = await stage.worker({ ...withoutModel, RETRY_DELAYS_MS });
    const { body } = await client.ask(stage.queue, { model: 'lookup', data: [3] }, options);
    expect(body).toMatchObject({ code: 'UNKNOWN_MODEL' });
    expect(worker.logs.filter(isRetry)).toEqual([]);
  });
});
