import { beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ManualDelays } from '../../test/support/manual-delays.js';
import { readSettings } from '../config/settings.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { InferenceError } from './inference.errors.js';
import { InferenceService } from './inference.service.js';
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

/** Models that work or do not, and have succeeded as often as the test says. */
class ManualModels {
  readonly successes: Record<string, number> = { digits: 0, other: 0 };
  readonly broken = new Set<string>(['digits', 'other']);

  get names(): string[] {
    return Object.keys(this.successes);
  }

  succeeded(name?: string): number {
    const all = Object.values(this.successes).reduce((sum, count) => sum + count, 0);
    return name === undefined ? all : (this.successes[name] ?? 0);
  }

  works(name: string): Promise<boolean> {
    return Promise.resolve(!this.broken.has(name));
  }

  succeed(name = 'digits', count = 1): void {
    this.successes[name] = (this.successes[name] ?? 0) + count;
  }
}

const broken = new InferenceError('PREPROCESS_FAILED', 'the feature store is gone');

describe('Outage', () => {
  let pause: ProbedPause;
  let outage: Outage;
  let models: ManualModels;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(() => {
    pause = new ProbedPause();
    models = new ManualModels();
    outage = new Outage(
      readSettings({}),
      { pause } as unknown as RabbitMqTransport,
      models as unknown as InferenceService,
    );
  });

  /** The next messages: whether each succeeds. */
  const following = (...successes: boolean[]) => {
    pause.process = () => {
      const succeeds = successes.shift();
      if (succeeds === undefined) return false;
      if (succeeds) models.succeed();
      else outage.failed(broken, 'digits');
      return true;
    };
  };
  const fail = async (error: InferenceError, count = 10, model = 'digits') => {
    for (let failures = 0; failures < count; failures++) outage.failed(error, model);
    await new Promise((resolve) => setImmediate(resolve)); // it asks the other models first
  };

  it('begins when too many messages fail, and says why', async () => {
    await fail(broken, 9);
    expect(outage.code).toBeUndefined();
    await fail(broken, 1);
    expect(outage.code).toBe('PREPROCESS_FAILED');
    expect(await pause.until(1)).toEqual(['begin']);
    outage.onModuleDestroy();
    await delays.end();
  });

  it('does not begin while more succeed', async () => {
    models.succeed('digits', 20);
    await fail(broken, 19);
    expect(outage.code).toBeUndefined();
    await fail(broken, 1);
    expect(outage.code).toBeDefined();
    outage.onModuleDestroy();
    await delays.end();
  });

  it('does not begin for messages that are at fault themselves', async () => {
    await fail(new InferenceError('INVALID_JSON', 'reason'), 100);
    await fail(new InferenceError('INFERENCE_FAILED', 'reason', { isOwnFault: true }), 100);
    expect(outage.code).toBeUndefined();
  });

  it('tries one message at a time, ever more slowly, and ends when three in a row succeed', async () => {
    following(false, false, true, false, true, true, true);
    await fail(broken);
    const waits = [];
    for (let failures = 0; failures < 4; failures++) waits.push(await delays.end());
    const asked = await pause.until(9);
    expect(asked).toEqual(['begin', ...Array<string>(7).fill('take'), 'end']);
    expect(outage.code).toBeUndefined();
    expect(waits[1]).toBeGreaterThanOrEqual(200);
    expect(waits[3]).toBeGreaterThanOrEqual(800);
  });

  it('waits for a message to try while there is none', async () => {
    await fail(broken);
    await delays.end();
    await pause.until(2);
    following(true, true, true);
    await delays.end();
    expect(await pause.until(6)).toEqual(['begin', 'find nothing', 'take', 'take', 'take', 'end']);
  });

  it('ends when one has succeeded and there is no other', async () => {
    following(true);
    await fail(broken);
    await delays.end();
    expect(await pause.until(4)).toEqual(['begin', 'take', 'find nothing', 'end']);
  });

  it('is one model’s where others work: nothing pauses, and it ends when the model works again', async () => {
    models.broken.delete('other');
    await fail(new InferenceError('INFERENCE_FAILED', 'no disk'));
    await delays.started();
    expect(pause.asked).toEqual([]);
    expect(outage.code).toBeUndefined();
    expect(outage.models).toEqual(['digits']);
    expect([outage.isExcused('digits'), outage.isExcused('other')]).toEqual([true, false]);
    await delays.end();
    await delays.started();
    expect(outage.models).toEqual(['digits']);
    models.broken.clear();
    await delays.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(outage.models).toEqual([]);
    expect(outage.isExcused('digits')).toBe(false);
  });

  it('pauses where the models have failed one after the other, until none works', async () => {
    models.broken.delete('other');
    await fail(broken);
    await delays.started();
    models.broken.add('other');
    await fail(broken, 10, 'other');
    expect(await pause.until(1)).toEqual(['begin']);
    expect(outage.models).toEqual(['digits', 'other']);
    outage.onModuleDestroy();
    await delays.end();
    await delays.end();
  });

  it('is waited out for a minute only: then consumption goes on, and failed attempts count', async () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    try {
      await fail(broken);
      expect(await pause.until(1)).toEqual(['begin']);
      expect(outage.isExcused('digits')).toBe(true);
      now.mockReturnValue(61_000);
      await delays.end();
      expect(await pause.until(2)).toEqual(['begin', 'end']);
      expect(outage.isExcused('digits')).toBe(false);
      expect(outage.code).toBe('PREPROCESS_FAILED');
      models.succeed('digits', 3);
      await delays.end();
      await new Promise((resolve) => setImmediate(resolve));
      expect(outage.code).toBeUndefined();
    } finally {
      now.mockRestore();
    }
  });

  it('begins again, when messages fail again', async () => {
    following(true);
    await fail(broken);
    await delays.end();
    await pause.until(4);
    await fail(broken, 9);
    expect(outage.code).toBeUndefined();
    await fail(broken, 1);
    expect(outage.code).toBeDefined();
    outage.onModuleDestroy();
    await delays.end();
  });

  it('leaves the consumer alone once the worker ends', async () => {
    await fail(broken);
    await pause.until(1);
    outage.onModuleDestroy();
    await delays.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(pause.asked).toEqual(['begin']);
  });
});
