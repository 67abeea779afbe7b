import type { WorkerQueue } from '../../rabbitmq/worker-queue.js';
import { Permission } from './topology.js';

/** Answers, dead letters and retries are published to the default exchange, which RabbitMQ knows by this name here. */
const DEFAULT_EXCHANGE = '^amq\\.default$';
const NOTHING = '^$';

/** The least that a worker's user needs. */
export function permissionsOf(requestQueue: string, queues: readonly WorkerQueue[]): Permission[] {
  const all = anyOf(queues.map(({ name }) => name));
  const requests = anyOf([requestQueue]);
  const deadLettering = queues.filter(({ options }) => 'x-dead-letter-exchange' in (options.arguments ?? {}));
  return [
    {
      use: 'TOPOLOGY=assert',
      configure: all,
      write: DEFAULT_EXCHANGE,
      read: anyOf(deadLettering.map(({ name }) => name)),
    },
    { use: 'TOPOLOGY=check', configure: all, write: DEFAULT_EXCHANGE, read: requests },
    // RabbitMQ 4.3 tells only those whether a queue exists who may do something with it.
    { use: 'TOPOLOGY=check, arguments not verified', configure: NOTHING, write: DEFAULT_EXCHANGE, read: all },
    { use: 'TOPOLOGY=none', configure: NOTHING, write: DEFAULT_EXCHANGE, read: requests },
  ];
}

function anyOf(names: readonly string[]): string {
  const patterns = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return patterns.length === 1 ? `^${patterns[0]}$` : `^(${patterns.join('|')})$`;
}
