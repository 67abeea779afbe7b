import { createInterface } from 'node:readline/promises';
import { DeadLetterQueue } from './dead-letter-queue.js';
import { DlqRun } from './dlq-run.js';
import { fits, LetterFilter } from './letter-filter.js';
import { LOOKING_IN_HAND, search } from './list.js';

export interface PurgeOptions extends LetterFilter {
  readonly limit?: number;
  /** Do not ask. */
  readonly yes?: boolean;
}

/** `purge`: deletes letters, for good. */
export async function purge({ withQueue, signal }: DlqRun, options: PurgeOptions): Promise<void> {
  const now = Date.now();
  let { limit } = options;
  if (!options.yes) {
    const { found, seen } = await withQueue((queue) => search(queue, options, now));
    if (!(await isConfirmed(`Delete ${found.length} of ${seen} letters for good? Type yes: `, signal))) {
      console.log('nothing is deleted');
      return;
    }
    limit = found.length; // more may have come meanwhile: behind these, and nobody was asked about them
  }
  await withQueue((queue) => deleteLetters(queue, { ...options, limit }, now));
}

async function deleteLetters(queue: DeadLetterQueue, options: PurgeOptions, now: number): Promise<void> {
  const { limit = Infinity } = options;
  let [seen, deleted] = [0, 0];
  for await (const letter of queue.letters(LOOKING_IN_HAND)) {
    seen++;
    // To the end, as `search` does.
    if (deleted < limit && fits(letter.summary, options, now)) {
      queue.remove(letter);
      deleted++;
    } else await queue.keep(letter);
  }
  await queue.count(); // answered after the acks are taken
  console.log(`deleted ${deleted} of ${seen} letters in '${queue.name}'`);
}

async function isConfirmed(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT')); // readline has taken Ctrl-C
  try {
    return (await terminal.question(question, { signal })).trim() === 'yes';
  } finally {
    terminal.close();
  }
}
