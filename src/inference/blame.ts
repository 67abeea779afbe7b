import { cut } from '../models/batch.js';
import { Rows } from '../protocol/rows.js';
import { InferenceError } from './inference.errors.js';
import { QueuedRows } from './timely-run.js';

type Run = (items: readonly QueuedRows[]) => Promise<unknown>;

/**
 * What fails where the model works has nothing else to blame. It works where others in the batch succeed, or, where none
 * does, on some of the rows of a request that fails: one bad row among many is that request's fault.
 *
 * @param requests those of the batch
 * @param answers what became of each
 * @param run infers rows; rejects when the model fails on them
 */
export async function blamed(
  requests: readonly QueuedRows[],
  answers: readonly (Rows | Error)[],
  run: Run,
): Promise<readonly (Rows | Error)[]> {
  if (!answers.some(isFailure)) return answers;
  const doesWork = !answers.every(isFailure) || (await worksOnSome(failed(requests, answers), run));
  if (!doesWork) return answers;
  return answers.map((answer) => (answer instanceof InferenceError ? answer.asOwnFault() : answer));
}

/** The first request of several rows on which the model failed. */
function failed(requests: readonly QueuedRows[], answers: readonly (Rows | Error)[]): Rows | undefined {
  return requests.find(({ rows }, index) => {
    const answer = answers[index];
    return rows.count > 1 && answer instanceof InferenceError && answer.code === 'INFERENCE_FAILED';
  })?.rows;
}

/** Tries halves of rows that have failed together, and then of the first half: at most 2·log2(n) runs. */
async function worksOnSome(rows: Rows | undefined, run: Run): Promise<boolean> {
  if (!rows || rows.count === 1) return false;
  const halves = cut(rows, Math.ceil(rows.count / 2));
  for (const half of halves)
    try {
      await run([{ rows: half }]);
      return true;
    } catch {} // the next may do
  return worksOnSome(halves[0], run);
}

function isFailure(answer: Rows | Error): answer is Error {
  return answer instanceof Error;
}
