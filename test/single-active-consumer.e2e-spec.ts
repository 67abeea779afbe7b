import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { queuesOf } from '../src/rabbitmq/topology.js';
import { readSettings } from '../src/config/settings.js';
import { readTestSet } from '../src/cli/test-set.js';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { Supervisor } from './faults/supervisor.js';
import { type BrokerClient } from './support/broker-client.js';
import { eventually } from './support/eventually.js';
import { ModelOutage } from './support/model-outage.js';
import { POISONABLE, poisoned } from './support/poison.js';
import { inHand, probe, untilInHand, untilProbe } from './support/probes.js';
import { Stage } from './support/stage.js';

const { images } = readTestSet();
const MESSAGES = 60;

describe.each(['quorum', 'classic'])('a %s request queue with a single active consumer', (QUEUE_TYPE) => {
  const env = { QUEUE_TYPE, TOPOLOGY: 'check' };
  let stage: Stage;
  let client: BrokerClient;

  beforeEach(async () => {
    stage = new Stage();
    client = await stage.client();
    const settings = readSettings({ QUEUE_TYPE, REQUEST_QUEUE: stage.queue, RETRY_DELAYS_MS: '100' });
    for (const { name, options } of queuesOf(settings)) {
      const own = name === stage.queue ? { 'x-single-active-consumer': true } : {};
      await client.channel.assertQueue(stage.queueName(name), {
        ...options,
        arguments: { ...(options.arguments as object), ...own },
      });
    }
  });

  afterEach(() => stage.clear());

  async function send(count: number, data: (index: number) => unknown = (index) => images[index]) {
    const sending = Array.from({ length: count }, (_, index) =>
      client.send(stage.queue, { data: data(index) }, { correlationId: `${index}`, messageId: `m${index}` }),
    );
    await Promise.all(sending);
  }

  it('is consumed as any other, many messages at a time, and the worker drains', async () => {
    const worker = await stage.worker({ ...env, PREPROCESS_IO_DELAY_MS: '50' });
    await untilProbe(worker, 'ready', 200);
    await send(MESSAGES);
    await client.replies.answersTo(MESSAGES);
    const slow = await client.channel.checkQueue(stage.queue);
    expect(slow.messageCount).toBe(0);
    const inFull = worker.logs.find(({ msg }) => msg.startsWith('consuming from'));
    expect(inFull?.msg).not.toContain('at most 1 messages');
    await untilInHand(worker, 0);
    expect(await worker.stop()).toBe(0);
    expect(client.replies.letters).toHaveLength(MESSAGES);
  });

  it('is taken over by the worker that stands by, ready, when the active one is killed', async () => {
    const slow = { ...env, PREPROCESS_IO_DELAY_MS: '300' };
    const workers = [await stage.worker(slow), await stage.worker(slow)] as [WorkerProcess, WorkerProcess];
    await Promise.all(workers.map((worker) => untilProbe(worker, 'ready', 200)));
    await send(MESSAGES);
    const active = await Promise.any(
      workers.map(async (worker) => {
        await eventually(
          () => inHand(worker),
          (now) => now > 1,
        );
        return worker;
      }),
    );
    await active.stop('SIGKILL');
    const [standby] = workers.filter((worker) => worker !== active) as [WorkerProcess];
    expect((await client.replies.answersTo(MESSAGES)).size).toBe(MESSAGES);
    expect((await probe(standby, 'ready')).status).toBe(200);
    await untilInHand(standby, 0);
    expect(await standby.stop()).toBe(0);
    expect(await client.depth(stage.queue)).toBe(0);
  });

  if (QUEUE_TYPE === 'quorum')
    it('has a message found that kills the worker, and its neighbours answered', async () => {
      await send(MESSAGES, (index) => (index === 30 ? poisoned(images[index]) : images[index]));
      const supervisor = new Supervisor(() => stage.launch({ ...POISONABLE, ...env }));
      stage.atEnd(() => supervisor.stop('SIGKILL'));
      const answers = await client.replies.answersTo(MESSAGES);
      for (const [id, [answer]] of answers)
        expect([id, answer?.properties.type]).toEqual([
          id,
          id === '30' ? 'inference.error' : 'inference.result',
        ]);
      expect(supervisor.crashes).toBeLessThanOrEqual(4);
      expect(await supervisor.stop()).toBe(0);
    });

  it('waits in an outage, of which the end is found by one message at a time', async () => {
    const outage = new ModelOutage(stage);
    const worker = await stage.worker({ ...outage.env, ...env, RETRY_DELAYS_MS: '100' });
    outage.begin();
    await send(MESSAGES, (index) => [index % 10]);
    await worker.log(({ msg }) => msg.startsWith('paused'));
    await untilProbe(worker, 'ready', 503);
    outage.end();
    const answers = await client.replies.answersTo(MESSAGES);
    for (const [id, [answer]] of answers)
      expect(answer?.body).toMatchObject({ outputs: [{ data: [(Number(id) % 10) ** 2] }] });
    await untilProbe(worker, 'ready', 200);
    expect(await inHand(worker)).toBe(0);
  });

  it('is no queue that the worker would declare: it says which argument differs', async () => {
    const worker = stage.launch({ QUEUE_TYPE });
    expect(await worker.ended()).toBe(78);
    expect(worker.errors).toContain('x-single-active-consumer');
  });
});
