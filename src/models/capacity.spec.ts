import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { CapacityPlan, MeasuredModel } from './capacity.js';
import { modelConfigSchema } from './model-config.js';
import { ModelFile } from './model.repository.js';

const GIB = 2 ** 30;

type Given = Partial<ConstructorParameters<typeof CapacityPlan>[0]>;

interface Model {
  readonly config?: object;
  /** Of a row. */
  readonly shape?: readonly (number | string)[];
  readonly maxBatchSize?: number;
  readonly batchMs?: number | undefined;
  readonly threads?: number;
}

const digits: Model = { shape: [64], maxBatchSize: 64, batchMs: 0.05 };
const convolution: Model = { shape: [3, 64, 64], maxBatchSize: 1, batchMs: 2, threads: 1 };

function open(given: Given, models: readonly Model[], memoryBytes = GIB): CapacityPlan {
  const settings = {
    CONCURRENCY: 'auto',
    PREFETCH: 'auto',
    BATCH_MAX_SIZE: 64,
    PREPROCESS_IO_DELAY_MS: undefined,
    ...given,
  } as const;
  return new CapacityPlan(settings, models.map(fileOf), memoryBytes);
}

/** The plan once the models are warm. */
function plan(given: Given, models: readonly Model[] = [digits], memoryBytes = GIB): CapacityPlan {
  const capacity = open(given, models, memoryBytes);
  capacity.settle(models.map(measured));
  return capacity;
}

function fileOf({ config = {} }: Model): ModelFile {
  return { name: 'm', version: '1', path: 'm/model.onnx', config: modelConfigSchema.parse(config) };
}

function measured(model: Model): MeasuredModel {
  const { shape = [64], maxBatchSize = 64, batchMs, threads = 0 } = model;
  const input = { name: 'x', datatype: 'FP32', shape: ['batch', ...shape] } as const;
  const signature = { name: 'm', inputs: [input], outputs: [], hasOpenRows: true, mayBatch: true };
  return { config: fileOf(model).config, signature, maxBatchSize, batchMs, maxBatchWaitMs: 2, threads };
}

const waiting = (ioDelayMs: number, model: Model = digits): Model => ({
  ...model,
  config: { preprocess: { ioDelayMs } },
});

function problemsOf(given: Given, ...configs: object[]): string[] {
  try {
    open(given, configs.length > 0 ? configs.map((config) => ({ config })) : [digits]);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    expect((error as StartupError).exitCode).toBe(EXIT_CONFIG);
    return (error as StartupError).message.split('\n');
  }
}

describe('CapacityPlan', () => {
  it('takes what is given', () => {
    expect(plan({ CONCURRENCY: 100, PREFETCH: 200 })).toMatchObject({ concurrency: 100, prefetch: 200 });
  });

  it('keeps hundreds of small messages in hand, and as many as RabbitMQ allows over an I/O wait of 50 ms', () => {
    const { concurrency, prefetch } = plan({});
    expect(concurrency).toBeGreaterThanOrEqual(400);
    expect(concurrency).toBeLessThanOrEqual(600);
    expect(prefetch).toBe(concurrency);
    expect(plan({}, [waiting(50)]).prefetch).toBe(2000);
  });

  it('keeps more in hand the longer the slowest model waits for I/O', () => {
    const planned = [0, 5, 10].map((ioDelayMs) => plan({}, [waiting(ioDelayMs), digits]).concurrency);
    expect(planned).toEqual(planned.toSorted((a, b) => a - b));
    expect(new Set(planned).size).toBe(3);
    expect(plan({}, [waiting(5), waiting(7)]).longestIoWaitMs).toBe(7);
  });

  it('keeps little in hand for a slow model, which others could take', () => {
    const { prefetch } = plan({}, [convolution]);
    expect(prefetch).toBeGreaterThanOrEqual(3);
    expect(prefetch).toBeLessThan(20);
    expect(plan({}, [waiting(50, convolution)]).prefetch).toBeLessThan(60);
  });

  it('keeps more in hand the more threads there are', () => {
    const planned = [1, 2, 4].map((threads) => plan({}, [{ ...convolution, threads }]).prefetch);
    expect(planned).toEqual(planned.toSorted((a, b) => a - b));
    expect(new Set(planned).size).toBe(3);
  });

  it('keeps a batch running, one that comes and one that fills, however slow they are', () => {
    const slow = { shape: [64], maxBatchSize: 8, batchMs: 5000 };
    expect(plan({}, [{ ...slow, threads: 1 }]).concurrency).toBeGreaterThanOrEqual(24);
    expect(plan({}, [{ ...slow, threads: 2 }]).concurrency).toBeGreaterThanOrEqual(40);
  });

  it('keeps a fair number in hand for a model that could not be measured', () => {
    const { prefetch } = plan({}, [{ shape: ['length'], batchMs: undefined, threads: 1 }]);
    expect(prefetch).toBeGreaterThanOrEqual(192);
    expect(prefetch).toBeLessThan(500);
  });

  it('holds no more large messages than there is memory for', () => {
    const pictures: Model = { ...waiting(60_000), shape: [3, 224, 224], maxBatchSize: 8, batchMs: 2 };
    const bytes = 3 * 224 * 224 * 16;
    const small = plan({}, [pictures], 512 * 2 ** 20).prefetch;
    expect(small * bytes).toBeLessThan(128 * 2 ** 20);
    expect(small).toBeGreaterThan(40);
    expect(plan({}, [pictures], 4 * GIB).prefetch).toBeGreaterThan(small);
    expect(plan({}, [pictures, waiting(50)], 512 * 2 ** 20).prefetch).toBe(small);
    expect(plan({}, [pictures], 2 ** 20)).toMatchObject({ concurrency: 1, prefetch: 1 });
  });

  it('goes by PREPROCESS_IO_DELAY_MS where it is set, whatever the models say', () => {
    expect(plan({ PREPROCESS_IO_DELAY_MS: 0 }, [waiting(500)]).prefetch).toBe(plan({}).prefetch);
  });

  it('never plans more than 2000 by itself', () => {
    expect(plan({ PREPROCESS_IO_DELAY_MS: 600_000 })).toMatchObject({ concurrency: 2000, prefetch: 2000 });
  });

  it('plans what fills the largest batch of any model, as far as batches of it are worth while', () => {
    const large = { config: { batching: { maxSize: 4096 } }, batchMs: 2 };
    expect(plan({}, [digits, { ...large, maxBatchSize: 4096 }]).concurrency).toBe(4096);
    expect(plan({}, [digits, { ...large, maxBatchSize: 8 }]).concurrency).toBeLessThan(600);
  });

  it('fits what is auto to what is given', () => {
    expect(plan({ CONCURRENCY: 5000 })).toMatchObject({ concurrency: 5000, prefetch: 5000 });
    expect(plan({ PREFETCH: 100 })).toMatchObject({ concurrency: 100, prefetch: 100 });
    expect(plan({ PREFETCH: 5000 })).toMatchObject({ concurrency: plan({}).concurrency, prefetch: 5000 });
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
    const batch = fc.double({ min: 0.001, max: 10_000, noNaN: true });
    fc.assert(
      fc.property(
        bound,
        bound,
        size,
        fc.nat(600_000),
        batch,
        (CONCURRENCY, PREFETCH, maxSize, ioDelayMs, batchMs) => {
          const given = { CONCURRENCY, PREFETCH };
          const config = { batching: { maxSize }, preprocess: { ioDelayMs } };
          if (problemsOf(given, config).length > 0) return;
          const { concurrency, prefetch } = plan(given, [{ config, maxBatchSize: maxSize, batchMs }]);
          expect(prefetch).toBeGreaterThanOrEqual(concurrency);
          expect(concurrency).toBeGreaterThanOrEqual(maxSize);
        },
      ),
    );
  });
});
