import { Command, Option } from 'commander';
import { durationMs, positiveInteger, positiveNumber } from '../options.js';
import { list, ListOptions } from './list.js';
import { purge, PurgeOptions } from './purge.js';
import { replay, ReplayOptions } from './replay.js';
import { show, ShowOptions } from './show.js';
import { runDlq, Target } from './dlq-run.js';

/** Wrong use, as shells have it. */
const EXIT_USAGE = 2;

/** `dlq`: what to do with the requests that could not be answered. */
export function dlqCommand(): Command {
  const dlq = new Command('dlq')
    .description('Looks at the dead letters of a worker, sends them again, or deletes them.')
    .showHelpAfterError()
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE));
  addList(dlq);
  addShow(dlq);
  addReplay(dlq);
  addPurge(dlq);
  return dlq;
}

function addList(dlq: Command): void {
  letterCommand(dlq, 'ls')
    .summary('list the letters and count them by code and model')
    .description('Lists the letters and counts them by code and model. The queue stays as it is.')
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      examples('dlq ls', 'dlq ls --code UNKNOWN_MODEL --newer-than 2h', 'dlq ls --json | jq .messageId'),
    )
    .action(async (options: Target & ListOptions) =>
      runDlq(options, ({ withQueue }) => withQueue((queue) => list(queue, options))),
    );
}

function addShow(dlq: Command): void {
  letterCommand(dlq, 'show')
    .summary('show all of a letter: properties, headers, body')
    .description(
      'Shows all of a letter: properties, headers, body. Without options the first. The queue stays as it is.',
    )
    .argument('[which]', 'its position as ls has it, its message_id or its correlation_id')
    .option('--json', 'one JSON object a line')
    .option('--raw', 'the body alone, byte for byte')
    .option('--max-bytes <count>', 'most of the body to show', positiveInteger, 4096)
    .addHelpText(
      'after',
      examples('dlq show 3', 'dlq show order-17 --max-bytes 100000', 'dlq show 3 --raw > body.json'),
    )
    .action(async (which: string | undefined, options: Target & ShowOptions) =>
      runDlq(options, ({ withQueue }) => withQueue((queue) => show(queue, which, options))),
    );
}

function addReplay(dlq: Command): void {
  letterCommand(dlq, 'replay')
    .summary('send letters to the request queue again')
    .description(
      'Sends letters to the request queue again, as fresh requests, and takes each out of the dead-letter queue once the ' +
        'broker has confirmed it. The old deadline does not come back: the requester has been told. Ctrl-C or kill it at ' +
        'any time and run it again: no letter is lost, and after kill -9 at most 16 are sent twice.',
    )
    .option('--rate <per-second>', 'how many letters a second', positiveNumber, 100)
    .option('--no-reply', 'without reply_to: answers go to RESULTS_QUEUE, for requesters that are gone')
    .option('--dry-run', 'only say which letters would be sent')
    .addHelpText(
      'after',
      examples(
        'dlq replay --dry-run --model digits',
        'dlq replay --code INFERENCE_FAILED --rate 20',
        'dlq replay --id order-17',
      ),
    )
    .action(async (options: Target & ReplayOptions) =>
      runDlq(options, ({ withQueue, signal }) => withQueue((queue) => replay(queue, options, signal))),
    );
}

function addPurge(dlq: Command): void {
  letterCommand(dlq, 'purge')
    .summary('delete letters')
    .description('Deletes letters, for good.')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('dlq purge --older-than 7d --yes', 'dlq purge --code INVALID_JSON'))
    .action(async (options: Target & PurgeOptions, command: Command) => {
      if (!options.yes && !process.stdin.isTTY)
        command.error('error: purge deletes for good; confirm that with --yes');
      await runDlq(options, (run) => purge(run, options));
    });
}

/** A subcommand with the options that say where the letters are and which are meant. */
function letterCommand(dlq: Command, name: string): Command {
  return dlq
    .command(name)
    .option('--url <url>', 'the broker (default: RABBITMQ_URL)')
    .option('--queue <name>', "the worker's request queue (default: REQUEST_QUEUE)")
    .addOption(
      new Option('--code <code>', 'only these codes; may be given several times').argParser(
        (code: string, codes: readonly string[] | undefined) => [...(codes ?? []), code],
      ),
    )
    .option('--model <name>', 'only requests for this model')
    .option('--id <id>', 'only this message_id or correlation_id')
    .option('--older-than <duration>', 'only what first failed longer ago: 30s, 15m, 2h, 7d', durationMs)
    .option('--newer-than <duration>', 'only what first failed since then', durationMs)
    .option('--limit <count>', 'no more than the first so many', positiveInteger);
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  onnxmq ${line}`).join('\n')}`;
}
