import { describe, expect, it, jest } from '@jest/globals';
import { oneRow } from '../../test/support/rows.js';
import { Batch, Session } from '../models/session.js';
import { Rows } from '../protocol/rows.js';
import { Blame } from './blame.js';
import { asInferenceError, InferenceError } from './inference.errors.js';

const number = { name: 'x', datatype: 'FP32', shape: ['n', 1] } as const;
const good = oneRow(Float32Array.of(1));
const failure = (reason: string) =>
  asInferenceError(new Error(reason), 'INFERENCE_FAILED', 'the model failed');
const late = new InferenceError('DEADLINE_EXCEEDED', 'late');

/** A model that fails while it is broken, and counts how often it is asked. */
class Model implements Session {
  readonly signature = { name: 'm', inputs: [number], outputs: [number], hasOpenRows: true, mayBatch: true };
  readonly parallelism = 1;
  isBroken = false;
  runs = 0;

  async run(batch: Batch): Promise<Batch> {
    this.runs++;
    if (this.isBroken) throw new Error('no disk');
    return batch;
  }
}

/** For each answer whether it is the request's own fault, and whether it is worth another try; undefined for outputs. */
async function judged(blame: Blame, answers: readonly (Rows | Error)[], startedAt = performance.now()) {
  const settled = await Promise.all(
    blame.of(answers, startedAt).map((answer) => Promise.resolve(answer).catch((error: Error) => error)),
  );
  return settled.map((answer) =>
    answer instanceof InferenceError ? [answer.isOwnFault, answer.retryable] : undefined,
  );
}

const OWN_AND_FINAL = [true, false];
const OWN_AND_RETRIED = [true, true];
const NOBODYS_AND_RETRIED = [false, true];

describe('the blame for a failed run', () => {
  it('is the request’s own where others of its batch succeed', async () => {
    const model = new Model();
    const answers = [good, failure('index out of range'), good];
    expect(await judged(new Blame(model, undefined), answers)).toEqual([undefined, OWN_AND_FINAL, undefined]);
    expect(model.runs).toBe(0);
  });

  it('is the request’s own where the model works on what it is known to take', async () => {
    expect(await judged(new Blame(new Model(), good), [failure('a'), failure('b')])).toEqual([
      OWN_AND_FINAL,
      OWN_AND_FINAL,
    ]);
  });

  it('is nobody’s where the model fails on that as well, at that moment', async () => {
    const model = new Model();
    const blame = new Blame(model, good);
    model.isBroken = true;
    expect(await judged(blame, [failure('no disk')])).toEqual([NOBODYS_AND_RETRIED]);
    model.isBroken = false;
    blame.worked(good);
    expect(await judged(blame, [failure('index out of range')])).toEqual([OWN_AND_FINAL]);
  });

  it('is found out by one run for all that fail before it begins, and by another for those that fail later', async () => {
    const model = new Model();
    const blame = new Blame(model, good);
    const first = Array.from({ length: 50 }, () => judged(blame, [failure('index out of range')]));
    await Promise.race(first);
    expect(model.runs).toBe(1);
    model.isBroken = true;
    expect(await judged(blame, [failure('no disk')])).toEqual([NOBODYS_AND_RETRIED]);
    expect(await Promise.all(first)).toEqual(first.map(() => [OWN_AND_FINAL]));
    expect(model.runs).toBe(2);
  });

  it('is found out no more often than leaves good requests the time', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance'] });
    try {
      const model = new Model();
      const blame = new Blame(model, good);
      const all: ReturnType<typeof judged>[] = [];
      for (let failures = 0; failures < 50; failures++) {
        all.push(judged(blame, [failure('index out of range')]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(model.runs).toBe(1);
      await jest.runAllTimersAsync();
      expect(await Promise.all(all)).toEqual(all.map(() => [OWN_AND_FINAL]));
      expect(model.runs).toBe(2);
    } finally {
      jest.useRealTimers();
    }
  });

  it.each([
    ['alone', [failure('no disk')], [NOBODYS_AND_RETRIED]],
    ['beside one that succeeds again', [failure('no disk'), good], [NOBODYS_AND_RETRIED, undefined]],
  ])('is nobody’s where a request failed %s before the model worked again', async (_, answers, expected) => {
    const model = new Model();
    const blame = new Blame(model, good);
    model.isBroken = true;
    await judged(blame, [failure('no disk')]);
    const startedAt = performance.now();
    model.isBroken = false;
    expect(await judged(blame, answers, startedAt)).toEqual(expected);
    expect(await judged(blame, [failure('index out of range')])).toEqual([OWN_AND_FINAL]);
  });

  it('is the request’s own where nothing is known to be good', async () => {
    const model = new Model();
    model.isBroken = true;
    expect(await judged(new Blame(model, undefined), [failure('sizes must be positive')])).toEqual([
      OWN_AND_FINAL,
    ]);
  });

  it('learns from the first request that succeeds what is good', async () => {
    const model = new Model();
    const blame = new Blame(model, undefined);
    blame.worked(good);
    model.isBroken = true;
    expect(await judged(blame, [failure('no disk')])).toEqual([NOBODYS_AND_RETRIED]);
  });

  it.each([
    'Failed to allocate memory for requested buffer of size 1600000000',
    'std::bad_alloc',
    'Array buffer allocation failed',
  ])('leaves another try where there was no memory: %s', async (reason) => {
    expect(await judged(new Blame(new Model(), good), [failure(reason)])).toEqual([OWN_AND_RETRIED]);
  });

  it('takes no name in a reason for a want of memory', async () => {
    const reason = "Non-zero status code returned while running Gather node. Name:'/memory/allocator/Gather'";
    expect(await judged(new Blame(new Model(), good), [failure(reason)])).toEqual([OWN_AND_FINAL]);
  });

  it('asks the model nothing where nothing failed, or what failed came too late', async () => {
    const model = new Model();
    const blame = new Blame(model, good);
    expect(await judged(blame, [good])).toEqual([undefined]);
    expect(await judged(blame, [late])).toEqual([[false, false]]);
    expect(model.runs).toBe(0);
  });
});
