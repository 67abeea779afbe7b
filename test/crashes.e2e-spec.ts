import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readTestSet } from '../src/cli/test-set.js';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { Supervisor } from './faults/supervisor.js';
import { type BrokerClient, type Inbox } from './support/broker-client.js';
import { canControlBroker, closeConnectionsOf } from './support/broker-control.js';
import { eventually } from './support/eventually.js';
import { POISONABLE, poisoned } from './support/poison.js';
import { inHand, untilInHand } from './support/probes.js';
import { nth, Stage } from './support/stage.js';

const { images } = readTestSet();
const INNOCENTS = 200;
const SLOW = { PREPROCESS_IO_DELAY_MS: '50' };
const isSuspicion = (msg: string) => /crashes of a worker/.test(msg);

let stage: Stage;
let client: BrokerClient;
let dead: Inbox;

beforeEach(async () => {
  stage = new Stage();
  client = await stage.client();
  const worker = await stage.worker();
  await worker.stop();
  dead = await client.collect(stage.deadLetters);
});

afterEach(() => stage.clear());

/** A worker that can be poisoned, and is started again when it has died. */
function supervise(env: Readonly<Record<string, string>> = {}): Supervisor {
  const supervisor = new Supervisor(() => stage.launch({ ...POISONABLE, ...env }));
  stage.atEnd(() => supervisor.stop('SIGKILL'));
  return supervisor;
}

/** Innocents by their number, and poison where it is asked for: before the innocent of that number. */
async function send(innocents: number, poisonBefore: readonly number[] = []): Promise<void> {
  const sending: Promise<void>[] = [];
  const ask = (id: string, data: unknown) =>
    sending.push(client.send(stage.queue, { id, data }, { correlationId: id, messageId: id }));
  for (let index = 0; index < innocents; index++) {
    if (poisonBefore.includes(index)) ask(`poison ${index}`, poisoned(images[index]));
    ask(String(index), images[index % images.length]);
  }
  await Promise.all(sending);
}

/** All are answered: the poison by an error and a dead letter, each innocent by its result. */
async function expectOnlyPoisonDead(innocents: number, poison: readonly string[]): Promise<void> {
  const answers = await client.replies.answersTo(innocents + poison.length);
  await dead.received(poison.length);
  expect(dead.letters.map(({ properties }) => String(properties.correlationId)).toSorted()).toEqual(poison);
  for (const { headers } of dead.letters) expect(headers['x-error-code']).toBe('CRASH_SUSPECT');
  for (const [id, [first]] of answers) {
    expect([id, first?.properties.type]).toEqual([
      id,
      poison.includes(id) ? 'inference.error' : 'inference.result',
    ]);
    if (poison.includes(id)) expect(first?.body).toMatchObject({ id, code: 'CRASH_SUSPECT' });
  }
  await eventually(
    () => client.depth(stage.queue),
    (depth) => depth === 0,
  );
}

describe('a message that kills the worker', () => {
  it('is dead-lettered after four crashes at most; its 200 neighbours are answered', async () => {
    await send(INNOCENTS, [100]);
    const supervisor = supervise();
    await expectOnlyPoisonDead(INNOCENTS, ['poison 100']);
    await untilInHand(supervisor.worker, 0);
    expect(supervisor.crashes).toBeLessThanOrEqual(4);
    expect(await supervisor.stop()).toBe(0);
  });

  it('is found beside another one', async () => {
    await send(INNOCENTS, [20, 150]);
    const supervisor = supervise();
    await expectOnlyPoisonDead(INNOCENTS, ['poison 150', 'poison 20']);
    await untilInHand(supervisor.worker, 0);
    expect(supervisor.crashes).toBeLessThanOrEqual(8);
    expect(await supervisor.stop()).toBe(0);
  });

  it('is found by two workers together, with four crashes between them', async () => {
    await send(INNOCENTS, [100]);
    const supervisors = [supervise(SLOW), supervise(SLOW)];
    await expectOnlyPoisonDead(INNOCENTS, ['poison 100']);
    expect(supervisors.reduce((sum, { crashes }) => sum + crashes, 0)).toBeLessThanOrEqual(4);
    for (const supervisor of supervisors) {
      await (await supervisor.running()).consuming();
      expect(await supervisor.stop()).toBe(0);
    }
  });

  it('does not keep a worker from ending by SIGTERM while it is being found', async () => {
    await send(INNOCENTS, [100]);
    const supervisor = supervise(SLOW);
    await eventually(
      () => Promise.resolve(supervisor.worker.logs.some(({ msg }) => isSuspicion(msg))),
      (isIsolating) => isIsolating,
    );
    await supervisor.stop();
    supervise();
    await expectOnlyPoisonDead(INNOCENTS, ['poison 100']);
  });
});

describe('a worker that is killed', () => {
  it('loses nothing: what it had in hand is answered by its replacement, and none of it is given up', async () => {
    await send(INNOCENTS);
    const first = await stage.worker({ PREPROCESS_IO_DELAY_MS: '600000' });
    await eventually(
      () => inHand(first),
      (count) => count > 100,
    );
    await first.stop('SIGKILL');
    const second = await stage.worker();
    const consumingAt = performance.now();
    await client.replies.received(1);
    process.stdout.write(
      `first redelivered answer ${(performance.now() - consumingAt).toFixed(0)} ms after consuming\n`,
    );
    await expectOnlyPoisonDead(INNOCENTS, []);
    expect(await second.stop()).toBe(0);
  });
});

describe('a worker that ends by SIGTERM under load', () => {
  it('makes nobody a suspect: no message that it leaves counts as delivered', async () => {
    await send(3000);
    const worker = await stage.worker({ PREPROCESS_IO_DELAY_MS: '5', CONCURRENCY: '64', PREFETCH: '200' });
    await client.replies.received(300);
    expect(await worker.stop()).toBe(0);
    const rest = await client.collect(stage.queue);
    await eventually(
      () => Promise.resolve(client.replies.letters.length + rest.letters.length),
      (count) => count >= 3000,
    );
    expect(rest.letters.length).toBeGreaterThan(0);
    expect(rest.letters.filter(({ headers }) => Number(headers['x-delivery-count'] ?? 0) > 0)).toEqual([]);
  });
});

describe('a lost connection', () => {
  if (canControlBroker)
    it('is no crash: the worker that has lived through it three times suspects nothing', async () => {
      const all = { CONCURRENCY: '400', PREFETCH: '400', PREPROCESS_IO_DELAY_MS: '1500' };
      const worker = await stage.worker(all);
      await send(4000);
      for (let lost = 1; lost <= 3; lost++) {
        await eventually(
          () => inHand(worker),
          (count) => count > 300,
        );
        await closeConnectionsOf(worker.pid, 'consume');
        await worker.log(nth(lost + 1, ({ msg }) => msg.startsWith('consuming from')));
      }
      const answers = await client.replies.answersTo(4000);
      expect(answers.size).toBe(4000);
      expectNoSuspicion(worker);
      expect(dead.letters).toEqual([]);
      expect(await worker.stop()).toBe(0);
    });
});

function expectNoSuspicion({ logs }: WorkerProcess): void {
  expect(logs.map(({ msg }) => msg).filter(isSuspicion)).toEqual([]);
}
