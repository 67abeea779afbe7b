import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type BrokerClient, type Letter } from './support/broker-client.js';
import { inHand, probes, untilInHand } from './support/probes.js';
import { Stage } from './support/stage.js';

const SLOW = { MODELS_DIR: 'test/support/slow-models', PREPROCESS_IO_DELAY_MS: '0' };

let stage: Stage;
let client: BrokerClient;

beforeEach(async () => {
  stage = new Stage();
  client = await stage.client();
});

afterEach(() => stage.clear());

describe.each([
  ['0', 'on the event loop'],
  ['1', 'in 1 thread'],
  ['2', 'in 2 threads'],
])('a worker with INFERENCE_THREADS=%s', (threads, place) => {
  it(`runs every model ${place}, gives each request its own answer, and ends in order`, async () => {
    const worker = await stage.worker({ MODELS_DIR: 'test/support/models', INFERENCE_THREADS: threads });
    const lines = worker.logs.filter(({ context }) => context === 'Models').map(({ msg }) => msg);
    expect(lines).not.toHaveLength(0);
    expect(lines.filter((line) => !line.endsWith(place))).toEqual([]);

    const asked = Array.from({ length: 200 }, randomRequest);
    const answers = await Promise.all(asked.map(({ request }) => client.ask(stage.queue, request)));
    expect(answers.map(outcomeOf)).toEqual(asked.map(({ expected }) => expected));
    expect(await worker.stop()).toBe(0);
    expect(worker.errors).toBe('');
  });
});

describe('a slow model', () => {
  it('runs in threads by itself, in batches no larger than it gains by', async () => {
    const worker = await stage.worker(SLOW);
    const { msg } = await worker.log((line) => line.context === 'Models');
    expect(msg).toMatch(/batches of up to \d in .*; in \d+ threads?$/);
  });

  it('leaves the probes answering while it runs', async () => {
    const worker = await stage.worker(SLOW);
    const answer = ask(100);
    await untilInHand(worker, 1);
    expect(await probes(worker)).toEqual({ live: 200, ready: 200, startup: 200 });
    expect(await inHand(worker)).toBe(1); // asked in time: it was still running
    expect(await answer).toHaveLength(100);
  });

  it.each(['auto', '2'])('is drained at SIGTERM with INFERENCE_THREADS=%s', async (threads) => {
    const worker = await stage.worker({ ...SLOW, INFERENCE_THREADS: threads });
    const answers = [ask(100), ask(110), ask(120)]; // so many rows that none is answered before all are in hand
    await untilInHand(worker, 3);
    expect(await worker.stop()).toBe(0);
    expect((await Promise.all(answers)).map((values) => values.length)).toEqual([100, 110, 120]);
  });

  /** Sends random rows in one request, and expects them back: it is what the model gives. */
  async function ask(rows: number): Promise<number[]> {
    const data = Array.from({ length: rows }, () => Math.floor(Math.random() * 1000));
    const inputs = [{ name: 'x', shape: [rows, 1], datatype: 'FP32', data }];
    const answer = await client.ask(stage.queue, { inputs });
    const given = outputsOf(answer).flatMap((output) =>
      output.data.map((value) => Math.round(Number(value))),
    );
    expect(given).toEqual(data);
    return given;
  }
});

it('a number of threads that is none is refused at start', async () => {
  const worker = stage.launch({ INFERENCE_THREADS: '-1' });
  expect(await worker.ended()).toBe(78);
  expect(worker.errors).toMatch(/INFERENCE_THREADS: "-1" is not allowed; it takes auto or a whole number/);
});

interface Output {
  readonly data: readonly unknown[];
}

function outputsOf({ body }: Letter): readonly Output[] {
  return body['outputs'] as readonly Output[];
}

/** All data of an answer, or its error code. */
function outcomeOf(answer: Letter): unknown {
  return answer.body['code'] ?? outputsOf(answer).map(({ data }) => data);
}

/** A request to one of the models, some of which fail, and what must come back. */
function randomRequest(): { request: object; expected: unknown } {
  const [a, b, c, d] = Array.from({ length: 4 }, () => Math.floor(Math.random() * 1000)) as [
    number,
    number,
    number,
    number,
  ];
  const tensor = (name: string, data: unknown[], datatype = 'FP32') => ({
    name,
    shape: [1, data.length],
    datatype,
    data,
  });
  switch (a % 4) {
    case 0:
      return {
        request: { model: 'pair', inputs: [tensor('left', [a, b]), tensor('right', [c, d])] },
        expected: [
          [a - c, b - d],
          [a > c, b > d],
        ],
      };
    case 1:
      return {
        request: { model: 'mean', data: [b, b + 2, b + 4].slice(c % 3) },
        expected: [[b + 2 + (c % 3)]],
      };
    case 2:
      return {
        request: { model: 'lookup', data: [b % 12] },
        expected: b % 12 < 10 ? [[(b % 12) ** 2]] : 'INFERENCE_FAILED',
      };
    default:
      return { request: { model: 'fixed', data: [a, b, c, d, a, b] }, expected: [[a + b + c, d + a + b]] };
  }
}
