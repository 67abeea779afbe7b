import type { ChannelModel } from 'amqplib';
import { Settings } from '../config/settings.js';
import { onOwnChannel } from './own-channel.js';
import { checkQueues } from './topology-check.js';
import { topologyError } from './topology-errors.js';
import type { WorkerQueue } from './worker-queue.js';

export type TopologySettings = Pick<
  Settings,
  'REQUEST_QUEUE' | 'RESULTS_QUEUE' | 'QUEUE_TYPE' | 'DELIVERY_LIMIT' | 'RETRY_DELAYS_MS'
>;

/**
 * Each look at a dead letter is a delivery, and RabbitMQ 4 drops a message after 20 of them where its queue does not
 * say otherwise. -1, which is no limit there, makes RabbitMQ 3 drop it after the first.
 */
const NO_DELIVERY_LIMIT = 2_000_000_000;

export function deadLetterQueue({ REQUEST_QUEUE }: Pick<Settings, 'REQUEST_QUEUE'>): string {
  return `${REQUEST_QUEUE}.dead`;
}

/** Where a request waits `delayMs` before it comes back to the request queue. */
export function retryQueue({ REQUEST_QUEUE }: Pick<Settings, 'REQUEST_QUEUE'>, delayMs: number): string {
  return `${REQUEST_QUEUE}.retry.${delayMs}`;
}

const RETRY_QUEUE = /\.retry\.\d+$/;

/** Whether a queue has a name as {@link retryQueue} gives it. */
export function isRetryQueue(name: string): boolean {
  return RETRY_QUEUE.test(name);
}

/** The queues that the worker needs, each before the one that refers to it. All are durable. */
export function queuesOf(settings: TopologySettings): WorkerQueue[] {
  const { REQUEST_QUEUE, RESULTS_QUEUE, QUEUE_TYPE, DELIVERY_LIMIT, RETRY_DELAYS_MS } = settings;
  const type = { 'x-queue-type': QUEUE_TYPE };
  const dead = deadLetterQueue(settings);
  const isQuorum = QUEUE_TYPE === 'quorum';
  const leadingTo = (queue: string) => ({
    ...type,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': queue,
    // Without these two the broker's own moving from queue to queue is at most once.
    ...(isQuorum ? { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' } : {}),
  });
  const requests = { ...leadingTo(dead), ...(isQuorum ? { 'x-delivery-limit': DELIVERY_LIMIT } : {}) };
  const retries = [...new Set(RETRY_DELAYS_MS)].map((delayMs) => ({
    name: retryQueue(settings, delayMs),
    options: { durable: true, arguments: { ...leadingTo(REQUEST_QUEUE), 'x-message-ttl': delayMs } },
  }));
  const letters = { ...type, ...(isQuorum ? { 'x-delivery-limit': NO_DELIVERY_LIMIT } : {}) };
  return [
    { name: dead, options: { durable: true, arguments: letters } },
    ...(RESULTS_QUEUE ? [{ name: RESULTS_QUEUE, options: { durable: true, arguments: type } }] : []),
    { name: REQUEST_QUEUE, options: { durable: true, arguments: requests } },
    ...retries,
  ];
}

/**
 * Declares the queues (`TOPOLOGY=assert`), verifies them as far as that is possible (`check`), or does nothing (`none`).
 *
 * @param mayProbe the worker starts, so there is time to try whether retry queues send messages back
 * @returns what `check` cannot verify
 * @throws StartupError that names the queue, and for other arguments the argument and both values
 */
export async function ensureTopology(
  connection: ChannelModel,
  settings: TopologySettings & Pick<Settings, 'TOPOLOGY'>,
  mayProbe = false,
): Promise<readonly string[]> {
  const queues = queuesOf(settings);
  if (settings.TOPOLOGY === 'check')
    return checkQueues(connection, queues, { requests: settings.REQUEST_QUEUE, mayProbe });
  if (settings.TOPOLOGY === 'assert') for (const queue of queues) await declare(connection, queue);
  return [];
}

async function declare(connection: ChannelModel, { name, options }: WorkerQueue): Promise<void> {
  await onOwnChannel(connection, (channel) => channel.assertQueue(name, options)).catch((error: unknown) => {
    throw topologyError(name, error);
  });
}
