import { DeadLetterQueue } from './dead-letter-queue.js';
import { fits, LetterFilter } from './letter-filter.js';
import { LetterSummary } from './letter-summary.js';
import { letterTable, letterTotals } from './letter-table.js';

/** Letters on their way from the broker; what has been looked at is not counted, its body is let go. */
export const LOOKING_IN_HAND = 256;

export interface ListOptions extends LetterFilter {
  readonly limit?: number;
  readonly json?: boolean;
}

/** `ls`: the letters, and how many there are of each kind. */
export async function list(queue: DeadLetterQueue, options: ListOptions): Promise<void> {
  const now = Date.now();
  const onLetter = options.json ? (letter: LetterSummary) => console.log(JSON.stringify(letter)) : () => {};
  const { found, seen } = await search(queue, options, now, onLetter);
  if (options.json) return;
  if (found.length === 0) {
    console.log(seen === 0 ? `there are no letters in '${queue.name}'` : `none of ${seen} letters fits`);
    return;
  }
  console.log(letterTable(found, now, process.stdout.columns ?? Infinity));
  console.log(`\n${letterTotals(found)}\n${found.length} of ${seen} letters in '${queue.name}'`);
}

/**
 * Looks through the queue for the first `limit` letters that fit. Always to the end: RabbitMQ 3 puts what it gets
 * back behind what it got back earlier, so that only all of it together stays in order.
 */
export async function search(
  queue: DeadLetterQueue,
  options: LetterFilter & { readonly limit?: number },
  now: number,
  onFound: (letter: LetterSummary) => void = () => {},
): Promise<{ found: LetterSummary[]; seen: number }> {
  const found: LetterSummary[] = [];
  let seen = 0;
  for await (const letter of queue.letters(LOOKING_IN_HAND)) {
    seen++;
    if (found.length !== options.limit && fits(letter.summary, options, now)) {
      found.push(letter.summary);
      onFound(letter.summary);
    }
    await queue.keep(letter);
  }
  return { found, seen };
}
