import { describe, expect, it } from '@jest/globals';
import { rowsIn } from '../../test/support/rows.js';
import { Rows } from '../protocol/rows.js';
import { blamed } from './blame.js';
import { InferenceError } from './inference.errors.js';
import { QueuedRows } from './timely-run.js';

const failure = new InferenceError('INFERENCE_FAILED', 'index out of range');
const late = new InferenceError('DEADLINE_EXCEEDED', 'late');

/** Rows of one number each. */
const rows = (...numbers: number[]) => rowsIn(numbers.length, Float32Array.from(numbers));

const queued = (requests: readonly Rows[]): QueuedRows[] => requests.map((own) => ({ rows: own }));

/** A model that fails where one of the rows is negative, and counts how often it is asked. */
class Model {
  runs = 0;

  readonly run = async (items: readonly QueuedRows[]): Promise<void> => {
    this.runs++;
    for (const {
      rows: { tensors, first, count },
    } of items)
      if ((tensors[0] as Float32Array).subarray(first, first + count).some((number) => number < 0))
        throw failure;
  };
}

/** Whether each request is said to be at fault itself; undefined for one that did not fail. */
async function faults(
  requests: readonly Rows[],
  answers: readonly (Rows | Error)[],
  model = new Model(),
): Promise<(boolean | undefined)[]> {
  const told = await blamed(queued(requests), answers, model.run);
  return told.map((answer) => (answer instanceof InferenceError ? answer.isOwnFault : undefined));
}

describe('blamed', () => {
  it('is whoever fails beside others that do not', async () => {
    const requests = [rows(1), rows(-1), rows(2)];
    expect(await faults(requests, [rows(1), failure, rows(2)])).toEqual([undefined, true, undefined]);
  });

  it('is nobody where all fail, and nothing shows that the model works', async () => {
    const model = new Model();
    expect(await faults([rows(-1), rows(-2)], [failure, failure], model)).toEqual([false, false]);
    expect(model.runs).toBe(0);
    expect(await faults([rows(-1, -2, -3, -4)], [failure], model)).toEqual([false]);
    expect(model.runs).toBe(4);
  });

  it.each([
    ['the first', [-1, 2, 3, 4, 5]],
    ['the last', [1, 2, 3, 4, -5]],
    ['all but one', [-1, 2, -3, -4, -5, -6]],
  ])('is a request that fills its batch, where the model fails on %s of its rows', async (_, numbers) => {
    expect(await faults([rows(...numbers)], [failure])).toEqual([true]);
  });

  it('asks the model nothing for what came too late', async () => {
    const model = new Model();
    expect(await faults([rows(1, 2)], [late], model)).toEqual([false]);
    expect(model.runs).toBe(0);
  });

  it('asks it nothing where nothing failed', async () => {
    const model = new Model();
    const answers = [rows(1, 2)];
    expect(await blamed(queued(answers), answers, model.run)).toBe(answers);
    expect(model.runs).toBe(0);
  });
});
