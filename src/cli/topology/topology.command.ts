import { Command, Option } from 'commander';
import { maskCredentials } from '../../config/settings.js';
import { queuesOf } from '../../rabbitmq/topology.js';
import { vhostOf } from '../../rabbitmq/broker-url.js';
import { settingsWith } from '../flags.js';
import { definitions, importCommands } from './definitions.js';
import { permissionsOf } from './permissions.js';
import { topologyTable } from './table.js';
import { terraform } from './terraform.js';
import { Topology } from './topology.js';

/** Wrong use, as shells have it. */
const EXIT_USAGE = 2;

const FORMATS: Readonly<Record<string, (topology: Topology) => string>> = {
  table: topologyTable,
  definitions,
  rabbitmqctl: importCommands,
  terraform,
};

interface TopologyOptions {
  readonly format: string;
  readonly url?: string;
  readonly queue?: string;
  readonly resultsQueue?: string;
  readonly queueType?: string;
  readonly deliveryLimit?: string;
  readonly retryDelaysMs?: string;
}

/** `topology`: the queues of a worker, for those who declare them by hand. */
export function topologyCommand(): Command {
  return new Command('topology')
    .summary("print the worker's queues, to declare them by hand")
    .description(
      'Prints the queues that a worker needs, with their exact arguments, and the permissions of its user: for those who ' +
        'declare queues themselves and run the worker with TOPOLOGY=check. It asks no broker and changes nothing.',
    )
    .addOption(
      new Option(
        '--format <format>',
        'table: for people; definitions: the JSON of RabbitMQ, for `rabbitmqctl import_definitions` or the management ' +
          "page; rabbitmqctl: that, for a shell on a node of the broker; terraform: the provider cyrilgdn/rabbitmq's resources",
      )
        .choices(Object.keys(FORMATS))
        .default('table'),
    )
    .option('--url <url>', 'where the virtual host is taken from (default: RABBITMQ_URL)')
    .option('--queue <name>', 'the request queue (default: REQUEST_QUEUE)')
    .option('--results-queue <name>', 'the queue for answers without reply_to (default: RESULTS_QUEUE)')
    .option('--queue-type <type>', 'quorum or classic (default: QUEUE_TYPE)')
    .option('--delivery-limit <count>', 'of the request queue, a quorum queue (default: DELIVERY_LIMIT)')
    .option('--retry-delays-ms <list>', 'one retry queue for each, or none (default: RETRY_DELAYS_MS)')
    .addHelpText(
      'after',
      '\nExamples:\n  onnxmq topology\n' +
        '  onnxmq topology --format definitions > queues.json && rabbitmqctl import_definitions queues.json\n' +
        '  onnxmq topology --format rabbitmqctl | docker exec -i rabbitmq sh\n' +
        '  onnxmq topology --format terraform --queue jobs > queues.tf\n\n' +
        'A queue that exists already is left as it is: RabbitMQ changes no arguments of a queue. The virtual host must exist.',
    )
    .showHelpAfterError()
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE))
    .action(print);
}

function print(options: TopologyOptions): void {
  try {
    process.stdout.write(`${FORMATS[options.format]?.(topologyOf(options))}\n`);
  } catch (error) {
    process.stderr.write(`topology: ${maskCredentials((error as Error).message)}\n`);
    process.exitCode = 1;
  }
}

function topologyOf(options: TopologyOptions): Topology {
  const settings = settingsWith({
    RABBITMQ_URL: options.url,
    REQUEST_QUEUE: options.queue,
    RESULTS_QUEUE: options.resultsQueue,
    QUEUE_TYPE: options.queueType,
    DELIVERY_LIMIT: options.deliveryLimit,
    RETRY_DELAYS_MS: options.retryDelaysMs,
  });
  const queues = queuesOf(settings);
  const [url = ''] = settings.RABBITMQ_URL;
  return {
    vhost: vhostOf(url),
    queues: queues.map(({ name, options: { arguments: args } }) => ({
      name,
      arguments: args as Topology['queues'][number]['arguments'],
    })),
    permissions: permissionsOf(settings.REQUEST_QUEUE, queues),
  };
}
