import { DeadLetter, DeadLetterQueue } from './dead-letter-queue.js';
import { fits } from './letter-filter.js';
import { letterDocument, letterText } from './letter-text.js';
import { ListOptions, LOOKING_IN_HAND } from './list.js';

export interface ShowOptions extends ListOptions {
  readonly maxBytes: number;
  readonly raw?: boolean;
}

/**
 * `show`: everything of one letter, or of the first `limit` that fit.
 *
 * @param which its position or id
 * @throws Error when there is none
 */
export async function show(
  queue: DeadLetterQueue,
  which: string | undefined,
  options: ShowOptions,
): Promise<void> {
  const now = Date.now();
  const limit = options.limit ?? 1;
  let shown = 0;
  for await (const letter of queue.letters(LOOKING_IN_HAND)) {
    // To the end, as `search` does.
    if (shown < limit && isMeant(letter, which) && fits(letter.summary, options, now)) {
      print(letter, options);
      shown++;
    }
    await queue.keep(letter);
  }
  if (shown === 0) throw new Error(`no letter in '${queue.name}' fits; 'dlq ls' shows what is there`);
}

function isMeant({ summary }: DeadLetter, which: string | undefined): boolean {
  if (which === undefined) return true;
  return [String(summary.position), summary.messageId, summary.correlationId].includes(which);
}

function print({ message, summary }: DeadLetter, { raw, json, maxBytes }: ShowOptions): void {
  if (raw) process.stdout.write(message.content);
  else if (json) console.log(JSON.stringify({ ...summary, ...letterDocument(message) }));
  else console.log(`position              ${summary.position}\n${letterText(message, maxBytes)}`);
}
