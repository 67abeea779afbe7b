import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { Deferred, deferred } from '../../test/support/deferred.js';
import { MicroBatcher, MicroBatcherOptions, RunBatch } from './micro-batcher.js';

type Answers = readonly (string | Error | Promise<string>)[];

/** A runner that answers when the test says so. */
class ManualRunner {
  readonly batches: string[][] = [];
  private readonly answers: Deferred<Answers>[] = [];
  running = 0;
  mostAtOnce = 0;

  readonly run: RunBatch<string, string> = async (items) => {
    this.batches.push([...items]);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.running);
    const answer = deferred<Answers>();
    this.answers.push(answer);
    return answer.promise.finally(() => this.running--);
  };

  /** Answers the batch that runs. */
  async answer(answers: Answers): Promise<void> {
    this.answers.shift()?.resolve(answers);
    await turn();
  }

  async fail(error: unknown): Promise<void> {
    this.answers.shift()?.reject(error);
    await turn();
  }
}

const letters = (text: string) => text.split('');

/** One turn of the event loop, in which no time passes. */
const turn = () => jest.advanceTimersByTimeAsync(0);
const echo: RunBatch<string, string> = (items) => Promise.resolve(items.map((item) => item.toUpperCase()));

function batcherOf(runner: ManualRunner, options: Partial<MicroBatcherOptions<string>> = {}) {
  return new MicroBatcher<string, string>([runner.run], { maxSize: 4, maxWaitMs: 10, ...options });
}

/** Adds items without waiting for their answers. */
function addAll(
  batcher: MicroBatcher<string, string>,
  items: string,
): Promise<PromiseSettledResult<string>[]> {
  return Promise.allSettled(letters(items).map((item) => batcher.add(item)));
}

const fulfilled = (value: string) => ({ status: 'fulfilled', value });
const rejected = (reason: unknown) => ({ status: 'rejected', reason });

describe('MicroBatcher', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  describe('answers', () => {
    it('gives each item the answer at its own place', async () => {
      const batcher = new MicroBatcher([echo], { maxSize: 4, maxWaitMs: 10 });
      const answers = addAll(batcher, 'abc');
      await turn();
      expect(await answers).toEqual(['A', 'B', 'C'].map(fulfilled));
    });

    it('rejects only the item whose answer is an Error', async () => {
      const runner = new ManualRunner();
      const answers = addAll(batcherOf(runner), 'abc');
      await turn();
      const reason = new Error('b is bad');
      await runner.answer(['A', reason, 'C']);
      expect(await answers).toEqual([fulfilled('A'), rejected(reason), fulfilled('C')]);
    });

    it.each([
      ['fewer', ['A']],
      ['more', ['A', 'B', 'C']],
      ['no', []],
    ])('fails every item when the runner gives %s answers than items', async (_, wrong) => {
      const runner = new ManualRunner();
      const answers = addAll(batcherOf(runner), 'ab');
      await turn();
      await runner.answer(wrong);
      const reason = new Error(`the runner gave ${wrong.length} answers for a batch of 2`);
      expect(await answers).toEqual([rejected(reason), rejected(reason)]);
    });

    it('fails every item with the error that the runner rejects with', async () => {
      const runner = new ManualRunner();
      const answers = addAll(batcherOf(runner), 'ab');
      await turn();
      const reason = new Error('out of memory');
      await runner.fail(reason);
      expect(await answers).toEqual([rejected(reason), rejected(reason)]);
    });

    it('fails every item with an Error even when the runner throws at once, and no Error', async () => {
      const thrower: RunBatch<string, string> = () => {
        throw 'no reason';
      };
      const answers = addAll(new MicroBatcher([thrower], { maxSize: 4, maxWaitMs: 10 }), 'ab');
      await turn();
      const reason = new Error('no reason');
      expect(await answers).toEqual([rejected(reason), rejected(reason)]);
    });

    it('goes on with the next batch after one that failed', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner);
      void addAll(batcher, 'a');
      await turn();
      const next = addAll(batcher, 'b');
      await runner.fail(new Error('gone'));
      await runner.answer(['B']);
      expect(await next).toEqual([fulfilled('B')]);
    });

    it('answers every item exactly once with its own answer, however items, sizes and groups fall', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(fc.nat({ max: 99 }), { maxLength: 9 }), { maxLength: 6 }),
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 1, max: 3 }),
          async (turns, maxSize, runners) => {
            const run: RunBatch<number, number> = (items) => Promise.resolve(items.map((item) => item * 2));
            const batcher = new MicroBatcher(Array<typeof run>(runners).fill(run), {
              maxSize,
              maxWaitMs: 5,
              groupOf: (item) => String(item % 3),
              expected: () => 1,
            });
            const answers: Promise<number>[] = [];
            for (const items of turns) {
              answers.push(...items.map((item) => batcher.add(item)));
              await jest.advanceTimersByTimeAsync(2);
            }
            await jest.advanceTimersByTimeAsync(100);
            expect(await Promise.all(answers)).toEqual(turns.flat().map((item) => item * 2));
          },
        ),
        { numRuns: 40 },
      );
    });
  });

  describe('batches', () => {
    it('takes all that arrived in one turn of the event loop together', async () => {
      const runner = new ManualRunner();
      void addAll(batcherOf(runner), 'abc');
      expect(runner.batches).toEqual([]);
      await turn();
      expect(runner.batches).toEqual([['a', 'b', 'c']]);
    });

    it('never hands over more than maxSize items', async () => {
      const runner = new ManualRunner();
      void addAll(batcherOf(runner), 'abcdefghi');
      await turn();
      await runner.answer(letters('ABCD'));
      await runner.answer(letters('EFGH'));
      expect(runner.batches).toEqual([letters('abcd'), letters('efgh'), ['i']]);
    });

    it('lets items gather while the runner is busy, then takes them at once', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner);
      void addAll(batcher, 'a');
      await turn();
      void addAll(batcher, 'b');
      await jest.advanceTimersByTimeAsync(50);
      void addAll(batcher, 'c');
      await turn();
      await runner.answer(['A']);
      expect(runner.batches).toEqual([['a'], ['b', 'c']]);
    });

    it('runs the next batch while an answer of the one before is still to come', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { maxSize: 1 });
      const answers = addAll(batcher, 'ab');
      const late = deferred<string>();
      await turn();
      await runner.answer([late.promise]);
      await runner.answer(['B']);
      const reason = new Error('a is out of range');
      late.reject(reason);
      expect(await answers).toEqual([rejected(reason), fulfilled('B')]);
    });

    it('keeps several runners busy at the same time, each with one batch', async () => {
      const first = new ManualRunner();
      const second = new ManualRunner();
      const batcher = new MicroBatcher([first.run, second.run], { maxSize: 2, maxWaitMs: 10 });
      const answers = addAll(batcher, 'abcdef');
      await turn();
      expect(new Set([...first.batches, ...second.batches])).toEqual(new Set([letters('ab'), letters('cd')]));
      const batches = [first, second].map((runner) => runner.batches[0] ?? []);
      await first.answer(batches[0]?.map((item) => item.toUpperCase()) ?? []);
      expect(first.batches.at(-1)).toEqual(['e', 'f']);
      await first.answer(['E', 'F']);
      await second.answer(batches[1]?.map((item) => item.toUpperCase()) ?? []);
      expect(await answers).toEqual(letters('ABCDEF').map(fulfilled));
      expect([first.mostAtOnce, second.mostAtOnce]).toEqual([1, 1]);
    });
  });

  describe('sizes', () => {
    /** A digit counts for as much as it says. */
    const bySize = { sizeOf: Number };

    it('add up to no more than maxSize in a batch, of items in their order', async () => {
      const runner = new ManualRunner();
      void addAll(batcherOf(runner, bySize), '32111');
      await turn();
      await runner.answer(['3']);
      await runner.answer(['2', '1', '1']);
      expect(runner.batches).toEqual([['3'], ['2', '1', '1'], ['1']]);
    });

    it('over maxSize run alone', async () => {
      const runner = new ManualRunner();
      void addAll(batcherOf(runner, bySize), '191');
      await turn();
      await runner.answer(['1']);
      await runner.answer(['9']);
      expect(runner.batches).toEqual([['1'], ['9'], ['1']]);
    });

    it('make a batch full', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { ...bySize, expected: () => 1 });
      void addAll(batcher, '3');
      await turn();
      expect(runner.batches).toEqual([]);
      void addAll(batcher, '1');
      await turn();
      expect(runner.batches).toEqual([['3', '1']]);
    });

    it('of what has run count no more', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { ...bySize, expected: () => 1 });
      void addAll(batcher, '32');
      await turn();
      void addAll(batcher, '1');
      await runner.answer(['3']);
      expect(runner.batches).toEqual([['3']]);
      await jest.advanceTimersByTimeAsync(10);
      expect(runner.batches).toEqual([['3'], ['2', '1']]);
    });

    it('of what was too late to run count no more', async () => {
      const runner = new ManualRunner();
      const now = performance.now();
      const deadline = {
        of: (item: string) => (item === '2' ? now + 5 : undefined),
        error: () => new Error('late'),
      };
      const batcher = batcherOf(runner, { ...bySize, deadline, expected: () => 1 });
      void addAll(batcher, '12');
      await jest.advanceTimersByTimeAsync(5);
      void addAll(batcher, '1');
      await jest.advanceTimersByTimeAsync(4);
      expect(runner.batches).toEqual([]);
      await jest.advanceTimersByTimeAsync(1);
      expect(runner.batches).toEqual([['1', '1']]);
    });
  });

  describe('waiting for company', () => {
    it('does not wait when nothing else is expected', async () => {
      const runner = new ManualRunner();
      void addAll(batcherOf(runner, { expected: () => 0 }), 'a');
      await turn();
      expect(runner.batches).toEqual([['a']]);
    });

    it('waits while more is expected, at most maxWaitMs from the oldest item on', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { expected: () => 1 });
      void addAll(batcher, 'a');
      await jest.advanceTimersByTimeAsync(6);
      void addAll(batcher, 'b');
      await jest.advanceTimersByTimeAsync(3);
      expect(runner.batches).toEqual([]);
      await jest.advanceTimersByTimeAsync(1);
      expect(runner.batches).toEqual([['a', 'b']]);
    });

    it('does not wait again for an item that waited long enough behind a busy runner', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { expected: () => 1 });
      void addAll(batcher, 'abcd');
      await turn();
      void addAll(batcher, 'e');
      await jest.advanceTimersByTimeAsync(10);
      await runner.answer(letters('ABCD'));
      expect(runner.batches).toEqual([letters('abcd'), ['e']]);
    });

    it('leaves at once when the batch is full, even when more is expected', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { expected: () => 1 });
      void addAll(batcher, 'abc');
      await turn();
      expect(runner.batches).toEqual([]);
      void addAll(batcher, 'd');
      await turn();
      expect(runner.batches).toEqual([letters('abcd')]);
    });

    it('leaves at once when the last expected item comes', async () => {
      const runner = new ManualRunner();
      let expected = 1;
      const batcher = batcherOf(runner, { expected: () => expected });
      void addAll(batcher, 'a');
      await turn();
      expected = 0;
      void addAll(batcher, 'b');
      await turn();
      expect(runner.batches).toEqual([['a', 'b']]);
    });
  });

  describe('items that may not share a batch', () => {
    it('run alone, in their order, and wait for nobody', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { mayShare: () => false, expected: () => 5 });
      const answers = addAll(batcher, 'abc');
      for (const item of ['A', 'B', 'C']) {
        await turn();
        await runner.answer([item]);
      }
      expect(runner.batches).toEqual([['a'], ['b'], ['c']]);
      expect(await answers).toEqual(['A', 'B', 'C'].map(fulfilled));
    });

    it('share one as soon as they may', async () => {
      const runner = new ManualRunner();
      let mayShare = false;
      const batcher = batcherOf(runner, { mayShare: () => mayShare });
      void addAll(batcher, 'abc');
      await turn();
      mayShare = true;
      await runner.answer(['A']);
      expect(runner.batches).toEqual([['a'], ['b', 'c']]);
    });
  });

  describe('groups', () => {
    const byCase = (item: string) => (item === item.toUpperCase() ? 'upper' : 'lower');

    it('puts only items of one group into a batch', async () => {
      const runner = new ManualRunner();
      void addAll(batcherOf(runner, { groupOf: byCase }), 'aBcD');
      await turn();
      await runner.answer(['1', '2']);
      expect(runner.batches).toEqual([
        ['a', 'c'],
        ['B', 'D'],
      ]);
    });

    it('takes the group that has waited longest first', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { groupOf: byCase });
      void addAll(batcher, 'x');
      await turn();
      void addAll(batcher, 'B');
      await jest.advanceTimersByTimeAsync(1);
      void addAll(batcher, 'a');
      await jest.advanceTimersByTimeAsync(1);
      void addAll(batcher, 'C');
      await runner.answer(['X']);
      expect(runner.batches.at(-1)).toEqual(['B', 'C']);
    });

    it('takes the group that has waited too long before fuller ones that came later', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { maxSize: 2, expected: () => 1, groupOf: (item) => item });
      void addAll(batcher, 'aa');
      await turn();
      void addAll(batcher, 'b');
      await jest.advanceTimersByTimeAsync(10);
      void addAll(batcher, 'aaaa');
      await runner.answer(['A', 'A']);
      expect(runner.batches[1]).toEqual(['b']);
    });

    it('waits no longer once it is told that nothing is expected any more', async () => {
      const runner = new ManualRunner();
      let expected = 1;
      const batcher = batcherOf(runner, { expected: () => expected });
      void addAll(batcher, 'a');
      await turn();
      expect(runner.batches).toEqual([]);
      expected = 0;
      batcher.reconsider();
      await turn();
      expect(runner.batches).toEqual([['a']]);
    });

    it('takes a full group before an older one that still waits for company', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, { groupOf: byCase, expected: () => 1 });
      void addAll(batcher, 'a');
      await jest.advanceTimersByTimeAsync(1);
      void addAll(batcher, 'BCDE');
      await turn();
      expect(runner.batches).toEqual([letters('BCDE')]);
    });
  });

  describe('deadlines', () => {
    const late = (item: string) => new Error(`${item} is late`);
    /** Items wait until the moment given for their letter. */
    const until = (moments: Record<string, number>) => ({
      deadline: { of: (item: string) => moments[item], error: late },
    });

    it('answers an item at its deadline while it waits for company, and leaves the others waiting', async () => {
      const runner = new ManualRunner();
      const now = performance.now();
      const batcher = batcherOf(runner, { ...until({ b: now + 5 }), expected: () => 1 });
      const outcomes: string[] = [];
      for (const item of 'abc') batcher.add(item).catch(({ message }: Error) => outcomes.push(message));
      await jest.advanceTimersByTimeAsync(4);
      expect(outcomes).toEqual([]);
      await jest.advanceTimersByTimeAsync(1);
      expect(outcomes).toEqual(['b is late']);
      await jest.advanceTimersByTimeAsync(5);
      expect(runner.batches).toEqual([['a', 'c']]);
    });

    it('answers an item at its deadline while the runner is busy', async () => {
      const runner = new ManualRunner();
      const batcher = batcherOf(runner, until({ b: performance.now() + 5 }));
      void addAll(batcher, 'a');
      await turn();
      const answers = addAll(batcher, 'b');
      await jest.advanceTimersByTimeAsync(5);
      expect(await answers).toEqual([rejected(late('b'))]);
      await runner.answer(['A']);
      expect(runner.batches).toEqual([['a']]);
    });

    it('leaves an item alone whose batch runs at its deadline', async () => {
      const runner = new ManualRunner();
      const answers = addAll(batcherOf(runner, until({ a: performance.now() + 5 })), 'a');
      await jest.advanceTimersByTimeAsync(50);
      await runner.answer(['A']);
      expect(await answers).toEqual([fulfilled('A')]);
    });

    it('runs nothing for a batch that is late as a whole, and stays ready for the next', async () => {
      const runner = new ManualRunner();
      const answers = addAll(batcherOf(runner, until({ x: performance.now() })), 'xxxxab');
      await turn();
      expect(runner.batches).toEqual([['a', 'b']]);
      await runner.answer(['A', 'B']);
      expect((await answers).slice(3)).toEqual([rejected(late('x')), fulfilled('A'), fulfilled('B')]);
    });

    it('refuses any number of items at once', async () => {
      const batcher = batcherOf(new ManualRunner(), { maxSize: 1, ...until({ x: performance.now() }) });
      const answers = addAll(batcher, 'x'.repeat(50_000));
      await turn();
      expect((await answers).every(({ status }) => status === 'rejected')).toBe(true);
    });

    it('gives an item its error ahead of its batch when the runner refuses it', async () => {
      const rest = deferred<Answers>();
      const run: RunBatch<string, string> = (_, refuse) => {
        refuse('b', late('b'));
        return rest.promise;
      };
      const batcher = new MicroBatcher([run], { maxSize: 4, maxWaitMs: 10 });
      const answers = letters('abc').map((item) => batcher.add(item));
      void turn();
      await expect(answers[1]).rejects.toEqual(late('b'));
      rest.resolve(['A', late('b'), 'C']);
      expect(await Promise.all([answers[0], answers[2]])).toEqual(['A', 'C']);
    });
  });
});
