import { LetterSummary } from './letter-summary.js';

/** Which letters are meant; a letter must fit all that is given. */
export interface LetterFilter {
  /** Any of these. */
  readonly code?: readonly string[];
  readonly model?: string;
  /** `message_id` or `correlation_id`. */
  readonly id?: string;
  /** In ms, since the first failure. A letter that does not say when it failed is neither older nor newer. */
  readonly olderThan?: number;
  readonly newerThan?: number;
}

export function isFiltered({ code, model, id, olderThan, newerThan }: LetterFilter): boolean {
  return [code, model, id, olderThan, newerThan].some((value) => value !== undefined);
}

/** @param now the moment that ages are counted from, in ms since 1970 */
export function fits(letter: LetterSummary, filter: LetterFilter, now: number): boolean {
  const { code, model, id, olderThan, newerThan } = filter;
  const ageMs = letter.firstFailedAt === undefined ? NaN : now - Date.parse(letter.firstFailedAt);
  return (
    (code === undefined || code.includes(letter.code)) &&
    (model === undefined || letter.model === model) &&
    (id === undefined || letter.messageId === id || letter.correlationId === id) &&
    (olderThan === undefined || ageMs > olderThan) &&
    (newerThan === undefined || ageMs < newerThan)
  );
}
