import { Command, InvalidArgumentError, Option } from 'commander';
import { positiveInteger } from '../../src/cli/options.js';
import { KINDS } from './kinds.js';

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed?: number;
  readonly workers: number;
  readonly rate: number;
  readonly broker?: 'native' | 'docker' | 'cluster';
  readonly faults?: readonly string[];
  readonly out: string;
  readonly list?: true;
}

const MAX_SEED = 2 ** 31 - 1;

export function readOptions(): ChaosOptions {
  return new Command('npm run chaos --')
    .description(
      'Workers under load while everything around them fails at random: each request must have its answer in the end. Starts ' +
        'a broker of its own, keeps a ledger of every request, and writes chaos.json and chaos.html.',
    )
    .option('--minutes <count>', 'how long', positiveInteger, 30)
    .option('--seed <number>', 'repeats the schedule of an earlier run (default: a new one)', seed)
    .option('--workers <count>', 'how many, each restarted whenever it ends', positiveInteger, 2)
    .option('--rate <count>', 'requests a second', positiveInteger, 120)
    .addOption(
      new Option(
        '--broker <kind>',
        'the rabbitmq-server of this machine, the image in Docker, or three nodes of whichever is here ' +
          '(default: native where it is here, else docker)',
      ).choices(['native', 'docker', 'cluster']),
    )
    .option('--faults <names>', 'these kinds only, separated by commas', kindNames)
    .option('--list', 'lists the kinds of faults and ends')
    .option('--out <folder>', 'where chaos.json and chaos.html go', '.')
    .addHelpText('after', '\nCtrl-C ends the fault of the moment and the load, and reports what there was.')
    .showHelpAfterError()
    .parse()
    .opts<ChaosOptions>();
}

function seed(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > MAX_SEED)
    throw new InvalidArgumentError(`It takes a whole number from 0 to ${MAX_SEED}.`);
  return number;
}

function kindNames(list: string): string[] {
  const chosen = list.split(',');
  const unknown = chosen.find((name) => !KINDS.some((kind) => kind.name === name));
  if (unknown)
    throw new InvalidArgumentError(
      `There is no ${unknown}. There are: ${KINDS.map(({ name }) => name).join(', ')}.`,
    );
  return chosen;
}
