import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import * as fc from 'fast-check';
import { deliver } from '../../test/support/messages.js';
import { oneRow } from '../../test/support/rows.js';
import { readSettings } from '../config/settings.js';
import { deadlineExceeded } from '../deadline/deadline.js';
import { Activity } from '../metrics/activity.js';
import { Rows } from '../protocol/rows.js';
import { ConfirmedOutcomes } from '../rabbitmq/confirmed-outcomes.js';
import { ConfirmedPublisher } from '../rabbitmq/confirmed.publisher.js';
import { Outgoing, Purpose } from '../rabbitmq/outgoing.js';
import { PublishAbandonedError, UnroutableError } from '../rabbitmq/publish.errors.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { ResultPublisher } from '../rabbitmq/result.publisher.js';
import { WaitingForRoom } from '../rabbitmq/waiting-for-room.js';
import { FailureHandler } from './failure.handler.js';
import { InferencePipeline } from './inference.pipeline.js';
import { InferenceService } from './inference.service.js';
import { Outage } from './outage.js';
import { MicroBatcher } from './micro-batcher.js';
import { QueuedRows } from './timely-run.js';

const scenarios = fc.record({
  messages: fc.array(
    fc.record({
      afterMs: fc.nat(10),
      patienceMs: fc.option(fc.nat(60), { nil: undefined, freq: 3 }),
      /** Where the deadline is said. */
      isInBody: fc.boolean(),
      /** Its requester is gone. */
      isUnroutable: fc.boolean(),
      /** Its channel closes so long after it came, or not at all. */
      closesAfterMs: fc.option(fc.nat(60), { nil: undefined, freq: 2 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  concurrency: fc.integer({ min: 1, max: 4 }),
  ioMs: fc.nat(25),
  runMs: fc.nat(25),
  confirmMs: fc.nat(10),
});
type Scenario = typeof scenarios extends fc.Arbitrary<infer T> ? T : never;

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const NO_MODELS = { names: [], succeeded: () => 0 } as unknown as InferenceService;

/** A worker of which only the broker, the model and the I/O are stand-ins, whose times the scenario says. */
class Play {
  /** What was published for each message: `result`, an error's code, `dead letter`. */
  readonly published: string[][] = [];
  readonly publishedAt: number[][] = [];
  readonly inferred = new Set<number>();
  readonly settlements: string[][] = [];
  readonly timesSettled: number[] = [];
  readonly deadlines: (number | undefined)[] = [];
  /** When its channel closes. */
  readonly closedAt: (number | undefined)[] = [];
  mostPreparing = 0;
  private preparing = 0;
  private readonly pipeline: InferencePipeline;

  constructor(private readonly scenario: Scenario) {
    const settings = readSettings({});
    const publisher = { publish: this.publish } as unknown as ConfirmedPublisher;
    const { concurrency } = scenario;
    const outcomes = new ConfirmedOutcomes({ prefetch: 1000, concurrency, longestIoWaitMs: 0 });
    const activity = new Activity();
    const results = new ResultPublisher(settings, publisher, activity, outcomes);
    const waiting = new WaitingForRoom(settings, publisher, activity, outcomes);
    const outage = new Outage(settings, {} as RabbitMqTransport, NO_MODELS);
    this.pipeline = new InferencePipeline(
      settings,
      { prepare: this.prepare },
      this.inference() as unknown as InferenceService,
      results,
      new FailureHandler(settings, results, outage, waiting),
    );
    this.pipeline.open(concurrency);
  }

  async toItsEnd(): Promise<this> {
    for (const [index, message] of this.scenario.messages.entries()) {
      await jest.advanceTimersByTimeAsync(message.afterMs);
      this.receive(index, message);
    }
    await jest.advanceTimersByTimeAsync(2_000);
    return this;
  }

  private receive(index: number, message: Scenario['messages'][number]): void {
    const { patienceMs, isInBody, isUnroutable, closesAfterMs } = message;
    const body = { id: String(index), data: [index] };
    const timeout = patienceMs === undefined ? 0 : Math.max(patienceMs * 1000, 0.001);
    const { delivery, acks, channel, settled } = deliver(
      isInBody ? { ...body, parameters: { timeout } } : body,
      {
        replyTo: isUnroutable ? 'gone' : 'answers',
        expiration: isInBody ? undefined : patienceMs?.toString(),
        messageId: String(index),
      },
    );
    [this.published[index], this.publishedAt[index], this.timesSettled[index]] = [[], [], 0];
    this.deadlines[index] = patienceMs === undefined ? undefined : performance.now() + patienceMs;
    this.settlements[index] = channel.settlements;
    this.closedAt[index] = closesAfterMs === undefined ? undefined : performance.now() + closesAfterMs;
    void settled.then(() => this.timesSettled[index]!++);
    if (closesAfterMs !== undefined) setTimeout(() => acks.close(), closesAfterMs);
    this.pipeline.accept(delivery);
  }

  private readonly prepare = async (request: { readonly id?: string }): Promise<Rows> => {
    this.mostPreparing = Math.max(this.mostPreparing, ++this.preparing);
    await later(this.scenario.ioMs);
    this.preparing--;
    return oneRow(Float32Array.of(Number(request.id)));
  };

  private inference() {
    const run = async (items: readonly QueuedRows[]) => {
      for (const { rows } of items) this.inferred.add(Number(rows.tensors[0]?.[0]));
      await later(this.scenario.runMs);
      return items.map(({ rows }) => rows);
    };
    const batcher = new MicroBatcher<QueuedRows, Rows>([run], {
      maxSize: 2,
      maxWaitMs: 2,
      deadline: {
        of: ({ deadline }) => deadline,
        error: ({ deadline = NaN }) => deadlineExceeded(deadline, 'while it waited for a batch'),
      },
    });
    const model = {
      name: 'echo',
      version: '1',
      hasOpenRows: true,
      mayBatch: true,
      inputs: [],
      outputs: [{ name: 'y', datatype: 'FP32', shape: ['n', 1] }],
      enterPreparation: () => {},
      leavePreparation: () => {},
    };
    return {
      model: () => model,
      infer: (_: unknown, rows: Rows, deadline?: number) => batcher.add({ rows, deadline }),
    };
  }

  private readonly publish = async (message: Outgoing, purpose: Purpose): Promise<void> => {
    if (purpose.isStale) throw new PublishAbandonedError();
    const isAnswer = 'body' in message;
    const body = isAnswer ? (JSON.parse(message.body) as { id: string; code?: string }) : undefined;
    const index = Number(body?.id ?? (message as { options: { messageId: string } }).options.messageId);
    this.published[index]?.push(isAnswer ? (body?.code ?? 'result') : 'dead letter');
    this.publishedAt[index]?.push(performance.now());
    await later(this.scenario.confirmMs);
    if (message.queue === 'gone') throw new UnroutableError('gone');
  };
}

/** Holds a promise of each message against many scenarios. */
function holds(promise: (play: Play, index: number, message: Scenario['messages'][number]) => void) {
  return fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const play = await new Play(scenario).toItsEnd();
      for (const [index, message] of scenario.messages.entries()) promise(play, index, message);
      expect(play.mostPreparing).toBeLessThanOrEqual(scenario.concurrency);
    }),
    { numRuns: 300 },
  );
}

describe('InferencePipeline, however confirms, returns, deadlines and closing channels fall,', () => {
  beforeAll(() => {
    Logger.overrideLogger(false);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
  });
  afterAll(() => {
    jest.useRealTimers();
  });

  it('settles each message once, and acks it once its one outcome is published', () =>
    holds((play, index, { isUnroutable }) => {
      expect(play.timesSettled[index]).toBe(1);
      if (play.closedAt[index] !== undefined) return;
      expect(play.settlements[index]).toEqual(['ack 1']);
      const result = isUnroutable ? ['result', 'dead letter'] : ['result'];
      expect([result, ['DEADLINE_EXCEEDED', 'dead letter']]).toContainEqual(play.published[index]);
    }));

  it('infers what gets a result, and never what is told that it is late, which it is told at its deadline', () =>
    holds((play, index) => {
      const [outcome] = play.published[index] as string[];
      const [at] = play.publishedAt[index] as number[];
      if (outcome === 'result') expect(play.inferred).toContain(index);
      if (outcome !== 'DEADLINE_EXCEEDED') return;
      expect(play.inferred).not.toContain(index);
      expect(at).toBeGreaterThanOrEqual(play.deadlines[index] as number);
      // Each place has its own timer, which takes a whole one: CONCURRENCY, preprocessing, the batch.
      expect(at).toBeLessThanOrEqual((play.deadlines[index] as number) + 3);
    }));

  it('publishes nothing more for a message once its channel has closed', () =>
    holds((play, index) => {
      const closedAt = play.closedAt[index] ?? Infinity;
      for (const at of play.publishedAt[index] as number[]) expect(at).toBeLessThanOrEqual(closedAt);
    }));
});
