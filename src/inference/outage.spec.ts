import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ManualDelays } from '../../test/support/manual-delays.js';
import { readSettings } from '../config/settings.js';
import { Activity } from '../metrics/activity.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { ErrorCode, InferenceError } from './inference.errors.js';
import { Outage } from './outage.js';

const delays = new ManualDelays();

/** A pause that writes down what is asked of it, and processes what it takes as the test says. */
class ProbedPause {
  readonly asked: string[] = [];
  process: () => boolean = () => false;
  private onAsked: (() => void) | undefined;

  async begin(): Promise<void> {
    this.note('begin');
  }

  async takeOne(): Promise<'taken' | 'nothing'> {
    const isTaken = this.process();
    this.note(isTaken ? 'take' : 'find nothing');
    return isTaken ? 'taken' : 'nothing';
  }

  async end(): Promise<void> {
    this.note('end');
  }

  async until(count: number): Promise<readonly string[]> {
    while (this.asked.length < count) await new Promise<void>((resolve) => (this.onAsked = resolve));
    return this.asked;
  }

  private note(what: string): void {
    this.asked.push(what);
    this.onAsked?.();
  }
}

const broken = new InferenceError('PREPROCESS_FAILED', 'the feature store is gone');

describe('Outage', () => {
  let pause: ProbedPause;
  let outage: Outage;
  let activity: Activity;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(() => {
    pause = new ProbedPause();
    activity = new Activity();
    outage = new Outage(readSettings({}), { pause } as unknown as RabbitMqTransport, activity);
  });

  /** The next messages: whether each succeeds. */
  const following = (...successes: boolean[]) => {
    pause.process = () => {
      const succeeds = successes.shift();
      if (succeeds === undefined) return false;
      if (succeeds) activity.answered(1);
      else outage.failed(broken);
      return true;
    };
  };
  const fail = (error: InferenceError, count = 10) => {
    for (let failures = 0; failures < count; failures++) outage.failed(error);
  };

  it('begins when too many messages fail, and says why', async () => {
    fail(broken, 9);
    expect(outage.code).toBeUndefined();
    fail(broken, 1);
    expect(outage.code).toBe('PREPROCESS_FAILED');
    expect(await pause.until(1)).toEqual(['begin']);
    outage.onModuleDestroy();
    await delays.end();
  });

  it('does not begin while more succeed', async () => {
    for (let answers = 0; answers < 20; answers++) activity.answered(1);
    activity.takeSummary();
    fail(broken, 19);
    expect(outage.code).toBeUndefined();
    fail(broken, 1);
    expect(outage.code).toBeDefined();
    outage.onModuleDestroy();
    await delays.end();
  });

  it('does not begin for messages that are at fault themselves', () => {
    fail(new InferenceError('INVALID_JSON', 'reason'), 100);
    fail(new InferenceError('INFERENCE_FAILED', 'reason', { isOwnFault: true }), 100);
    expect(outage.code).toBeUndefined();
  });

  it('tries one message at a time, ever more slowly, and ends when three in a row succeed', async () => {
    following(false, false, true, false, true, true, true);
    fail(broken);
    const waits = [];
    for (let failures = 0; failures < 4; failures++) waits.push(await delays.end());
    const asked = await pause.until(9);
    expect(asked).toEqual(['begin', ...Array<string>(7).fill('take'), 'end']);
    expect(outage.code).toBeUndefined();
    expect(waits[1]).toBeGreaterThanOrEqual(200);
    expect(waits[3]).toBeGreaterThanOrEqual(800);
  });

  it('waits for a message to try while there is none', async () => {
    fail(broken);
    await delays.end();
    await pause.until(2);
    following(true, true, true);
    await delays.end();
    expect(await pause.until(6)).toEqual(['begin', 'find nothing', 'take', 'take', 'take', 'end']);
  });

  it('ends when one has succeeded and there is no other', async () => {
    following(true);
    fail(broken);
    await delays.end();
    expect(await pause.until(4)).toEqual(['begin', 'take', 'find nothing', 'end']);
  });

  it('ends as well when the results of those tried find no way to who asked: they may have given up', async () => {
    let results = 0;
    pause.process = () => {
      if (results === 3) return false;
      const code = (['REPLY_UNROUTABLE', 'REPLY_REFUSED'] as const)[results++ % 2] as ErrorCode;
      outage.failed(new InferenceError(code, 'reason'));
      return true;
    };
    fail(broken);
    await delays.end();
    expect(await pause.until(5)).toEqual(['begin', 'take', 'take', 'take', 'end']);
  });

  it('begins again, when messages fail again', async () => {
    following(true);
    fail(broken);
    await delays.end();
    await pause.until(4);
    fail(broken, 9);
    expect(outage.code).toBeUndefined();
    fail(broken, 1);
    expect(outage.code).toBeDefined();
    outage.onModuleDestroy();
    await delays.end();
  });

  it('leaves the consumer alone once the worker ends', async () => {
    fail(broken);
    await pause.until(1);
    outage.onModuleDestroy();
    await delays.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(pause.asked).toEqual(['begin']);
  });
});
