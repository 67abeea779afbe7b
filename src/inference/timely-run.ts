import { deadlineExceeded, earliestDeadline } from '../deadline/deadline.js';
import { BatchLateError } from '../models/session.js';
import { Row } from '../protocol/rows.js';

/** A row on its way to a batch, and until when it may be inferred (`performance.now()`). */
export interface QueuedRow {
  readonly row: Row;
  readonly deadline?: number;
}

/**
 * Runs the rows whose deadline has not passed, and again without those whose deadline passes before the run has begun.
 *
 * @param run infers all or none; throws BatchLateError when the deadline, the earliest of the rows', came first
 * @param refuse told each row that is too late, at once; its error is also among the answers
 * @returns one answer a row, in the order of the rows
 */
export async function runTimely<R>(
  rows: readonly QueuedRow[],
  run: (rows: readonly QueuedRow[], deadline?: number) => Promise<readonly R[]>,
  refuse: (row: QueuedRow, error: Error) => void,
): Promise<readonly (R | Error)[]> {
  if (earliestDeadline(rows) === undefined) return run(rows);
  const errors = rows.map((row) => lateness(row));
  rows.forEach((row, index) => errors[index] && refuse(row, errors[index]));
  const timely = rows.filter((_, index) => !errors[index]);
  if (timely.length === 0) return errors as Error[];
  try {
    const outputs = (await run(timely, earliestDeadline(timely))).values();
    return errors.map((error) => error ?? (outputs.next().value as R));
  } catch (error) {
    if (error instanceof BatchLateError) return runTimely(rows, run, refuse);
    throw error;
  }
}

function lateness({ deadline = Infinity }: QueuedRow): Error | undefined {
  return deadline <= performance.now() ? deadlineExceeded(deadline, 'while its batch waited') : undefined;
}
