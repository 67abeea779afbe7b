import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ManualClock } from '../../test/support/manual-clock.js';
import { MicroBatcher, RunBatch } from './micro-batcher.js';

/** How a runner ends a batch: all well, one item in error, an error for all, or one answer too few. */
type Ending = 'answers' | 'one error' | 'rejects' | 'throws' | 'answers short';

interface Arrival {
  /** Since the one before it, in ms. */
  readonly afterMs: number;
  readonly group: string;
  readonly size: number;
  /** From its arrival, in ms. */
  readonly patienceMs: number | undefined;
}

interface Item extends Arrival {
  readonly id: number;
  readonly arrivedAt: number;
}

interface Batch {
  readonly items: readonly Item[];
  readonly begunAt: number;
  readonly ending: Ending;
}

interface Outcome {
  readonly at: number;
  readonly value: unknown;
}

const arrivals = fc.array(
  fc.record({
    afterMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(12) }),
    group: fc.constantFrom('a', 'b', 'c'),
    size: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 8 })),
    patienceMs: fc.option(fc.nat(40), { nil: undefined, freq: 3 }),
  }),
  { minLength: 1, maxLength: 25 },
);
const scenarios = fc.record({
  arrivals,
  runs: fc.array(
    fc.record({
      ms: fc.nat(30),
      ending: fc.constantFrom<Ending>(
        'answers',
        'answers',
        'one error',
        'rejects',
        'throws',
        'answers short',
      ),
      /** The whole event loop stands still for as long, as it does when a model runs on it. */
      isBlocking: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  maxSize: fc.integer({ min: 1, max: 6 }),
  maxWaitMs: fc.nat(15),
  runners: fc.integer({ min: 1, max: 3 }),
  isCompanyExpected: fc.boolean(),
});
type Scenario = typeof scenarios extends fc.Arbitrary<infer T> ? T : never;

/** Everything that happened in a scenario, played to its end. */
class Play {
  readonly clock = new ManualClock();
  readonly items: Item[] = [];
  readonly batches: Batch[] = [];
  readonly outcomes = new Map<number, Outcome[]>();
  /** When the event loop stood still: nothing can be on time there. */
  readonly blocked: { from: number; to: number }[] = [];
  mostRunning = 0;
  private running = 0;
  private readonly batcher: MicroBatcher<Item, string>;

  constructor(private readonly scenario: Scenario) {
    const { runners, maxSize, maxWaitMs, isCompanyExpected } = scenario;
    this.batcher = new MicroBatcher(
      Array.from({ length: runners }, () => this.run),
      {
        maxSize,
        sizeOf: ({ size }) => size,
        maxWaitMs,
        expected: () => (isCompanyExpected ? 1 : 0),
        groupOf: ({ group }) => group,
        deadline: { of: deadlineOf, error: ({ id }) => new Error(`${id} is late`) },
      },
      this.clock,
    );
  }

  async toItsEnd(): Promise<this> {
    for (const [id, arrival] of this.scenario.arrivals.entries()) {
      await this.clock.advance(arrival.afterMs);
      this.add({ ...arrival, id, arrivedAt: this.clock.now() });
    }
    await this.clock.advance(10_000);
    return this;
  }

  private add(item: Item): void {
    const outcomes: Outcome[] = [];
    this.items.push(item);
    this.outcomes.set(item.id, outcomes);
    const note = (value: unknown) => void outcomes.push({ at: this.clock.now(), value });
    this.batcher.add(item).then(note, note);
  }

  private readonly run: RunBatch<Item, string> = (items) => {
    const { runs } = this.scenario;
    const { ms, ending, isBlocking } = runs[this.batches.length % runs.length] as (typeof runs)[number];
    this.batches.push({ items: [...items], begunAt: this.clock.now(), ending });
    if (ending === 'throws') throw new Error('thrown');
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    if (isBlocking) {
      this.blocked.push({ from: this.clock.now(), to: this.clock.now() + ms });
      this.clock.block(ms);
    }
    return new Promise((resolve, reject) =>
      this.clock.after(isBlocking ? 0 : ms, () => {
        this.running--;
        if (ending === 'rejects') reject(new Error('rejected'));
        else resolve(answersOf(items, ending));
      }),
    );
  };
}

function deadlineOf({ arrivedAt, patienceMs }: Item): number | undefined {
  return patienceMs === undefined ? undefined : arrivedAt + patienceMs;
}

function answersOf(items: readonly Item[], ending: Ending): (string | Error)[] {
  const answers = items.map(({ id }, index) =>
    ending === 'one error' && index === 0 ? new Error(`${id} is bad`) : `answer to ${id}`,
  );
  return ending === 'answers short' ? answers.slice(1) : answers;
}

/** What the item at that place of a batch must be told. */
function expectedOf({ items, ending }: Batch, index: number): unknown {
  if (ending === 'rejects') return new Error('rejected');
  if (ending === 'throws') return new Error('thrown');
  if (ending === 'answers short')
    return new Error(`the runner gave ${items.length - 1} answers for a batch of ${items.length}`);
  return answersOf(items, ending)[index];
}

/** Holds a promise against thousands of scenarios. */
function holds(promise: (play: Play, scenario: Scenario) => void, only: fc.Arbitrary<Scenario> = scenarios) {
  return fc.assert(
    fc.asyncProperty(only, async (scenario) => promise(await new Play(scenario).toItsEnd(), scenario)),
    { numRuns: 1500 },
  );
}

describe('MicroBatcher, however items, groups, deadlines and runs fall,', () => {
  it('answers each item exactly once: with what its batch gave for it, or that it is late', () =>
    holds(({ items, batches, outcomes }) => {
      const expected = new Map<number, unknown>(items.map(({ id }) => [id, new Error(`${id} is late`)]));
      for (const batch of batches)
        for (const [index, { id }] of batch.items.entries()) expected.set(id, expectedOf(batch, index));
      for (const { id } of items)
        expect(outcomes.get(id)?.map(({ value }) => value)).toEqual([expected.get(id)]);
    }));

  it('puts each item into at most one batch, of its group, of no more than maxSize together, in the order of arrival', () =>
    holds(({ batches }, { maxSize }) => {
      const ids = batches.flatMap(({ items }) => items.map(({ id }) => id));
      expect(new Set(ids).size).toBe(ids.length);
      const last = new Map<string, number>();
      for (const { items } of batches) {
        expect(items.length).toBeGreaterThan(0);
        const total = items.reduce((sum, { size }) => sum + size, 0);
        if (items.length > 1) expect(total).toBeLessThanOrEqual(maxSize);
        expect(new Set(items.map(({ group }) => group)).size).toBe(1);
        for (const { group, id } of items) {
          expect(id).toBeGreaterThan(last.get(group) ?? -1);
          last.set(group, id);
        }
      }
    }));

  it('never runs more batches at once than there are runners', () =>
    holds(({ mostRunning }, { runners }) => {
      expect(mostRunning).toBeLessThanOrEqual(runners);
    }));

  it('begins no batch with an item whose deadline has passed', () =>
    holds(({ batches }) => {
      for (const { items, begunAt } of batches)
        for (const item of items) expect(begunAt).toBeLessThan(deadlineOf(item) ?? Infinity);
    }));

  it('tells an item that it is late at its deadline, or as soon as the event loop turns again', () =>
    holds(({ items, outcomes, blocked }) => {
      for (const item of items) {
        const [{ at, value }] = outcomes.get(item.id) as [Outcome];
        if (!(value instanceof Error) || !value.message.endsWith('is late')) continue;
        const deadline = deadlineOf(item) as number;
        let latest = deadline;
        for (const { from, to } of blocked) if (from <= latest && latest < to) latest = to;
        expect(at).toBeGreaterThanOrEqual(deadline);
        expect(at).toBeLessThanOrEqual(latest);
      }
    }));

  it('keeps no item from a free runner for longer than maxWaitMs, nor at all when no company is expected', () =>
    holds(
      ({ batches }, { maxWaitMs, isCompanyExpected }) => {
        for (const { items, begunAt } of batches)
          for (const { arrivedAt } of items)
            expect(begunAt - arrivedAt).toBeLessThanOrEqual(isCompanyExpected ? maxWaitMs : 0);
      },
      // Runs that take no time: a runner is always free.
      scenarios.map((scenario) => ({
        ...scenario,
        runs: [{ ms: 0, ending: 'answers' as const, isBlocking: true }],
      })),
    ));
});
