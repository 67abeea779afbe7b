import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Deferred, deferred } from '../../test/support/deferred.js';
import { oneRow } from '../../test/support/rows.js';
import { BatchLateError } from '../models/session.js';
import { QueuedRows, runTimely } from './timely-run.js';

const row = (name: string, deadline?: number): QueuedRows => ({ rows: oneRow([name]), deadline });
const nameOf = ({ rows: { tensors } }: QueuedRows): string => String(tensors[0]?.[0]);
const late = expect.objectContaining({ code: 'DEADLINE_EXCEEDED' });

/** Runs that end when the test says so. */
class ManualRuns {
  readonly asked: { names: string[]; deadline?: number }[] = [];
  readonly refused: string[] = [];
  private readonly ends: Deferred<string[]>[] = [];

  readonly run = (rows: readonly QueuedRows[], deadline?: number): Promise<string[]> => {
    this.asked.push({ names: rows.map(nameOf), deadline });
    const end = deferred<string[]>();
    this.ends.push(end);
    return end.promise;
  };

  readonly refuse = (refused: QueuedRows): void => void this.refused.push(nameOf(refused));

  succeed(): void {
    const names = this.asked.at(-1)?.names ?? [];
    this.ends.at(-1)?.resolve(names.map((name) => name.toUpperCase()));
  }

  fail(error: Error): void {
    this.ends.at(-1)?.reject(error);
  }
}

describe('runTimely', () => {
  let runs: ManualRuns;
  let now: number;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
    now = performance.now();
    runs = new ManualRuns();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const start = (...rows: QueuedRows[]) => runTimely(rows, runs.run, runs.refuse);

  it('runs rows without a deadline as they are', async () => {
    const answers = start(row('a'), row('b'));
    runs.succeed();
    expect(await answers).toEqual(['A', 'B']);
    expect(runs.asked).toEqual([{ names: ['a', 'b'], deadline: undefined }]);
  });

  it('leaves out those that are late, tells them at once, and gives the others their own outputs', async () => {
    const answers = start(row('a', now), row('b'), row('c', now - 1), row('d', now + 9), row('e', now + 5));
    expect(runs.refused).toEqual(['a', 'c']);
    expect(runs.asked).toEqual([{ names: ['b', 'd', 'e'], deadline: now + 5 }]);
    runs.succeed();
    expect(await answers).toEqual([late, 'B', late, 'D', 'E']);
  });

  it('runs nothing when all are late', async () => {
    expect(await start(row('a', now), row('b', now))).toEqual([late, late]);
    expect(runs.asked).toEqual([]);
  });

  it('runs the others again when a deadline came before the run, and tells the late ones before that', async () => {
    const answers = start(row('a', now + 5), row('b'), row('c', now + 7));
    jest.advanceTimersByTime(5);
    runs.fail(new BatchLateError());
    await jest.advanceTimersByTimeAsync(0);
    expect(runs.refused).toEqual(['a']);
    expect(runs.asked.at(-1)).toEqual({ names: ['b', 'c'], deadline: now + 7 });
    runs.succeed();
    expect(await answers).toEqual([late, 'B', 'C']);
  });

  it('fails as the run does', async () => {
    const answers = start(row('a', now + 5), row('b'));
    runs.fail(new Error('out of memory'));
    await expect(answers).rejects.toThrow('out of memory');
    expect(runs.refused).toEqual([]);
  });
});
