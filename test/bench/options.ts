import { Command, InvalidArgumentError, Option } from 'commander';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { positiveInteger } from '../../src/cli/options.js';

export interface BenchOptions {
  readonly quick?: true;
  readonly smoke?: true;
  readonly assert?: true;
  readonly peers?: true;
  readonly only?: readonly string[];
  readonly rounds?: number;
  readonly node?: string;
  readonly prof?: string;
  readonly out: string;
  readonly svg?: string;
  readonly compare?: string;
  readonly against?: string;
}

/** @param names what `--only` takes: suites and contestants */
export function readOptions(names: readonly string[]): BenchOptions {
  return new Command('npm run bench --')
    .description(
      'What a message costs, side by side: onnxmq, a hand-written loop, stock Nest and others on the same messages and the ' +
        'same model, on a broker of their own. Every answer is checked. Writes bench.json and bench.html.',
    )
    .option('--quick', 'under two minutes: one round of fewer messages, the ends of each sweep')
    .option(
      '--smoke',
      'seconds: a few messages through every contestant, to see that it works; measures nothing',
    )
    .option('--assert', 'measure what the targets need, and exit with 1 where one is missed')
    .option('--peers', 'also the contestants in Go, Rust and Python, as far as their toolchains are here')
    .option('--only <names>', 'these suites or contestants only, separated by commas', (list: string) => {
      const chosen = list.split(',');
      const unknown = chosen.find((name) => !names.includes(name));
      if (unknown) throw new InvalidArgumentError(`There is no ${unknown}. There are: ${names.join(', ')}.`);
      return chosen;
    })
    .option(
      '--rounds <count>',
      'how often each is measured, in turn with the others (default: 3)',
      positiveInteger,
    )
    .option('--node <path>', 'the Node of the Node contestants (default: the one of the image)', existing)
    .option('--prof <folder>', 'have Node contestants leave a CPU profile each in this folder')
    .option('--out <folder>', 'where bench.json and bench.html go', '.')
    .option('--svg <folder>', 'write the plots there as well, one SVG each')
    .option('--compare <file>', 'an earlier bench.json: shows each figure before and after', existing)
    .addOption(
      new Option(
        '--against <folder>',
        'only this: the CPU of a message beside that of another checkout, built, both at once on one processor',
      )
        .argParser(built)
        .conflicts(['smoke', 'only', 'assert', 'peers']),
    )
    .addHelpText(
      'after',
      `\nSuites: see test/bench/README.md. Names for --only: ${names.join(', ')}.\n` +
        'It takes RabbitMQ from the rabbitmq-server on the PATH, never RABBITMQ_URL, and wants the machine for itself.',
    )
    .showHelpAfterError()
    .parse()
    .opts<BenchOptions>();
}

function built(folder: string): string {
  if (!existsSync(join(folder, 'dist/main.js')))
    throw new InvalidArgumentError('There is no dist/main.js; run `npm ci && npm run build` there.');
  return resolve(folder);
}

function existing(path: string): string {
  if (!existsSync(path)) throw new InvalidArgumentError('There is no such file.');
  return path;
}
