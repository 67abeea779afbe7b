import { deadlineExceeded, earliestDeadline } from '../deadline/deadline.js';
import { BatchLateError } from '../models/session.js';
import { Rows } from '../protocol/rows.js';

/** Rows of a request on their way to a batch, together, and until when they may be inferred (`performance.now()`). */
export interface QueuedRows {
  readonly rows: Rows;
  readonly deadline?: number;
}

/**
 * Runs those whose deadline has not passed, and again without those whose deadline passes before the run has begun.
 *
 * @param run infers all or none; throws BatchLateError when the deadline, the earliest of theirs, came first
 * @param refuse told each that is too late, at once; its error is also among the answers
 * @returns one answer each, in their order
 */
export async function runTimely<R>(
  items: readonly QueuedRows[],
  run: (items: readonly QueuedRows[], deadline?: number) => Promise<readonly R[]>,
  refuse: (item: QueuedRows, error: Error) => void,
): Promise<readonly (R | Error)[]> {
  if (earliestDeadline(items) === undefined) return run(items);
  const errors = items.map(lateness);
  items.forEach((item, index) => errors[index] && refuse(item, errors[index]));
  const timely = items.filter((_, index) => !errors[index]);
  if (timely.length === 0) return errors as Error[];
  try {
    const outputs = (await run(timely, earliestDeadline(timely))).values();
    return errors.map((error) => error ?? (outputs.next().value as R));
  } catch (error) {
    if (error instanceof BatchLateError) return runTimely(items, run, refuse);
    throw error;
  }
}

function lateness({ deadline = Infinity }: QueuedRows): Error | undefined {
  return deadline <= performance.now() ? deadlineExceeded(deadline, 'while its batch waited') : undefined;
}
