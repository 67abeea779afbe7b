import { startProgress } from '../progress.js';
import { DeadLetterQueue } from './dead-letter-queue.js';
import { freshRequest } from './fresh-request.js';
import { fits, isFiltered, LetterFilter } from './letter-filter.js';
import { letterTable } from './letter-table.js';
import { search } from './list.js';
import { Moves } from './moves.js';

/** Letters whose publish is not confirmed, or is and the letter not yet removed: these a kill may double. */
const MAX_IN_FLIGHT = 16;
/** Longest wait for confirms when the end is near, in ms. */
const FINISH_TIMEOUT_MS = 10_000;

export interface ReplayOptions extends LetterFilter {
  readonly limit?: number;
  /** Letters a second. */
  readonly rate: number;
  readonly dryRun?: boolean;
  /** False: without `reply_to`. */
  readonly reply: boolean;
}

/**
 * `replay`: sends letters back to the request queue as fresh requests, each confirmed before it is taken out here.
 * Those that fail again while this runs come to the queue's end, and are not looked at.
 *
 * @throws Error when the request queue does not exist or refuses; what is not replayed stays
 */
export async function replay(
  queue: DeadLetterQueue,
  options: ReplayOptions,
  signal: AbortSignal,
): Promise<void> {
  const now = Date.now();
  await queue.checkRequestQueue();
  if (options.dryRun) {
    const { found, seen } = await search(queue, options, now);
    if (found.length > 0) console.log(letterTable(found, now, process.stdout.columns ?? Infinity));
    console.log(`${found.length} of ${seen} letters would go to '${queue.requestQueue}'`);
    return;
  }
  const there = await queue.count();
  const moves = new Moves(options.rate, MAX_IN_FLIGHT, signal);
  const isPartial = isFiltered(options) || options.limit !== undefined;
  const progress = startProgress(isPartial ? 'looked at' : 'replayed', there);
  try {
    await replayEach(queue, options, now, moves, (looked) => progress.update(looked));
  } finally {
    await moves.settled(FINISH_TIMEOUT_MS);
    progress.stop();
    console.log(
      `replayed ${moves.done} to '${queue.requestQueue}'; ${there - moves.done} of ${there} letters left`,
    );
  }
  if (moves.failure) throw moves.failure;
}

async function replayEach(
  queue: DeadLetterQueue,
  options: ReplayOptions,
  now: number,
  moves: Moves,
  onProgress: (looked: number) => void,
): Promise<void> {
  const { limit = Infinity } = options;
  let begun = 0;
  for await (const letter of queue.letters(MAX_IN_FLIGHT)) {
    // To the end, as `search` does.
    if (begun < limit && fits(letter.summary, options, now)) {
      if (!(await moves.turn())) return;
      const request = freshRequest(letter.message.properties);
      const properties = options.reply ? request : { ...request, replyTo: undefined };
      moves.begin(queue.move(letter, queue.requestQueue, properties));
      begun++;
    } else await queue.keep(letter);
    onProgress(letter.summary.position);
  }
}
