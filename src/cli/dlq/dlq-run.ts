import { setMaxListeners } from 'node:events';
import { maskCredentials } from '../../config/settings.js';
import { settingsWith } from '../flags.js';
import { DeadLetterQueue } from './dead-letter-queue.js';

/** Where the letters are, where it is not as the environment says. */
export interface Target {
  readonly url?: string;
  readonly queue?: string;
}

/** What a subcommand works with. */
export interface DlqRun {
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Opens the queue for a piece of work; what that has looked at is back in the queue for the next one. */
  readonly withQueue: <T>(work: (queue: DeadLetterQueue) => Promise<T>) => Promise<T>;
}

const EXIT_FAILURE = 1;
const EXIT_INTERRUPTED = 130;

/** Runs a subcommand to the end of the process, and says on stderr what went wrong. A second Ctrl-C ends at once. */
export async function runDlq(target: Target, subcommand: (run: DlqRun) => Promise<void>): Promise<never> {
  const interrupt = new AbortController();
  const { signal } = interrupt;
  setMaxListeners(0, signal);
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupt.abort());
  const withQueue: DlqRun['withQueue'] = async (work) => {
    const queue = await DeadLetterQueue.open(
      settingsWith({ RABBITMQ_URL: target.url, REQUEST_QUEUE: target.queue }),
      signal,
    );
    try {
      return await work(queue);
    } finally {
      await queue.close();
    }
  };
  let exitCode = 0;
  try {
    await subcommand({ signal, withQueue });
    signal.throwIfAborted();
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    const reason = signal.aborted ? 'interrupted' : maskCredentials(message || code || 'failed');
    process.stderr.write(`dlq: ${reason}\n`);
    exitCode = signal.aborted ? EXIT_INTERRUPTED : EXIT_FAILURE;
  }
  // A connection that a broker without memory does not close would keep the process.
  process.exit(exitCode);
}
