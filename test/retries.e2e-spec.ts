import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type LogLine } from '../src/cli/worker-process.js';
import { type BrokerClient } from './support/broker-client.js';
import { eventually } from './support/eventually.js';
import { LOOKUP, ModelOutage } from './support/model-outage.js';
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
    const worker = await stage.worker({ ...LOOKUP, RETRY_DELAYS_MS: '50,150' });
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
    const worker = await stage.worker({ ...LOOKUP, RETRY_DELAYS_MS: '50' });
    const answer = await client.ask(stage.queue, { data: [1, 2, 3] });
    expect(answer.body).toMatchObject({ code: 'SHAPE_MISMATCH' });
    expect(worker.logs.filter(isRetry)).toEqual([]);
  });

  it('waits at the broker: a worker that ends meanwhile takes nothing along', async () => {
    const worker = await stage.worker({ ...LOOKUP, RETRY_DELAYS_MS: '500' });
    await client.send(stage.queue, { id: 'far', data: [99] }, { correlationId: 'far' });
    await worker.log(isRetry);
    await untilInHand(worker, 0);
    await worker.stop('SIGKILL');
    expect(client.replies.letters).toEqual([]);
    await eventually(
      () => client.depth(stage.queue),
      (ready) => ready === 1,
    );
    await stage.worker({ ...LOOKUP, RETRY_DELAYS_MS: '500' });
    expect((await client.replies.answerTo('far')).body).toMatchObject({ code: 'INFERENCE_FAILED' });
  });
});
