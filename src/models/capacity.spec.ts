import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { planCapacity } from './capacity.js';
import { modelConfigSchema } from './model-config.js';
import { ModelFile } from './model.repository.js';

type Given = Partial<Parameters<typeof planCapacity>[0]>;

const modelWith = (config: object): ModelFile => ({
  name: 'm',
  version: '1',
  path: 'm/model.onnx',
  config: modelConfigSchema.parse(config),
});

function plan(given: Given, ...configs: object[]) {
  const settings = {
    CONCURRENCY: 'auto',
    PREFETCH: 'auto',
    BATCH_MAX_SIZE: 64,
    PREPROCESS_IO_DELAY_MS: undefined,
    ...given,
  } as const;
  return planCapacity(settings, configs.length > 0 ? configs.map(modelWith) : [modelWith({})]);
}

function problemsOf(given: Given, ...configs: object[]): string[] {
  try {
    plan(given, ...configs);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    expect((error as StartupError).exitCode).toBe(EXIT_CONFIG);
    return (error as StartupError).message.split('\n');
  }
}

describe('planCapacity', () => {
  it('takes what is given', () => {
    expect(plan({ CONCURRENCY: 100, PREFETCH: 200 })).toMatchObject({ concurrency: 100, prefetch: 200 });
  });

  it('keeps more in hand the longer the slowest model waits for I/O', () => {
    const delays = [0, 10, 50].map((ioDelayMs) => plan({}, { preprocess: { ioDelayMs } }, {}).concurrency);
    expect(delays).toEqual(delays.toSorted((a, b) => a - b));
    expect(new Set(delays).size).toBe(3);
  });

  it('goes by PREPROCESS_IO_DELAY_MS where it is set, whatever the models say', () => {
    const slow = { preprocess: { ioDelayMs: 500 } };
    expect(plan({ PREPROCESS_IO_DELAY_MS: 0 }, slow)).toEqual(plan({}, {}));
  });

  it('never plans more than 2000 by itself', () => {
    expect(plan({ PREPROCESS_IO_DELAY_MS: 600_000 })).toMatchObject({ concurrency: 2000, prefetch: 2000 });
  });

  it('plans what fills the largest batch of any model', () => {
    expect(plan({}, {}, { batching: { maxSize: 4096 } }).concurrency).toBe(4096);
  });

  it('fits what is auto to what is given', () => {
    expect(plan({ CONCURRENCY: 5000 })).toMatchObject({ concurrency: 5000, prefetch: 5000 });
    expect(plan({ PREFETCH: 100 })).toMatchObject({ concurrency: 100, prefetch: 100 });
  });

  it('refuses a PREFETCH below CONCURRENCY', () => {
    expect(problemsOf({ CONCURRENCY: 100, PREFETCH: 99 })).toEqual([
      'PREFETCH: 99 is less than CONCURRENCY, 100; make it at least that',
    ]);
  });

  it.each<[Given]>([[{ CONCURRENCY: 63 }], [{ PREFETCH: 63 }]])(
    'refuses %j, which never fills a batch of 64',
    (given) => {
      const [problem, ...others] = problemsOf(given);
      expect(problem).toContain('CONCURRENCY: 63 never fills a batch of 64');
      expect(others).toEqual([]);
    },
  );

  it('measures against the batch size of a model that sets its own', () => {
    expect(problemsOf({ CONCURRENCY: 63 }, { batching: { maxSize: 8 } })).toEqual([]);
    expect(problemsOf({ CONCURRENCY: 64 }, {}, { batching: { maxSize: 65 } })).toHaveLength(1);
  });

  it('names every problem at once', () => {
    expect(problemsOf({ CONCURRENCY: 10, PREFETCH: 5 })).toHaveLength(2);
  });

  it('always gives prefetch ≥ concurrency ≥ largest batch, or refuses', () => {
    const bound = fc.oneof(fc.constant('auto' as const), fc.integer({ min: 1, max: 5000 }));
    const size = fc.integer({ min: 1, max: 4096 });
    fc.assert(
      fc.property(bound, bound, size, fc.nat(600_000), (CONCURRENCY, PREFETCH, maxSize, ioDelayMs) => {
        const given = { CONCURRENCY, PREFETCH };
        const config = { batching: { maxSize }, preprocess: { ioDelayMs } };
        if (problemsOf(given, config).length > 0) return;
        const { concurrency, prefetch } = plan(given, config);
        expect(prefetch).toBeGreaterThanOrEqual(concurrency);
        expect(concurrency).toBeGreaterThanOrEqual(maxSize);
      }),
    );
  });
});
