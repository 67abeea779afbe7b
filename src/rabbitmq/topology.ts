import type { Channel, ChannelModel, Options } from 'amqplib';
import { Settings } from '../config/settings.js';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';

type TopologySettings = Pick<
  Settings,
  'REQUEST_QUEUE' | 'RESULTS_QUEUE' | 'QUEUE_TYPE' | 'TOPOLOGY' | 'DELIVERY_LIMIT' | 'RETRY_DELAYS_MS'
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
export function queuesOf(settings: TopologySettings): { name: string; options: Options.AssertQueue }[] {
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
 * Declares the queues (`TOPOLOGY=assert`), only verifies that they exist (`check`), or does nothing (`none`).
 *
 * @throws StartupError that names the queue, and for other arguments the argument and both values
 */
export async function ensureTopology(connection: ChannelModel, settings: TopologySettings): Promise<void> {
  if (settings.TOPOLOGY === 'none') return;
  for (const { name, options } of queuesOf(settings)) {
    await onOwnChannel(connection, async (channel) => {
      if (settings.TOPOLOGY === 'check') await channel.checkQueue(name);
      else await channel.assertQueue(name, options);
    }).catch((error: unknown) => {
      throw topologyError(name, error);
    });
  }
}

/** A refusal closes the channel; on one of its own it harms nothing else. */
export async function onOwnChannel(
  connection: ChannelModel,
  use: (channel: Channel) => Promise<void>,
): Promise<void> {
  const channel = await connection.createChannel();
  channel.on('error', () => {}); // `use` rejects with the same error
  await use(channel);
  channel.close().catch(() => {}); // amqplib waits for its end for ever when the connection is lost meanwhile
}

/** Of a cluster: the queue is there, and will be reachable again. */
const NODE_IS_DOWN = /is down or inaccessible/;

function topologyError(queue: string, error: unknown): unknown {
  const { code, message } = error as { code?: number; message: string };
  if (code === 404 && !NODE_IS_DOWN.test(message))
    return new StartupError(
      `queue '${queue}' does not exist; declare it, or let the worker do so with TOPOLOGY=assert`,
      EXIT_CONFIG,
    );
  if (code !== 406) return error;
  const [, argument, ours, theirs] =
    /inequivalent arg '(.+?)' for .*?: received (.+?) but current is (.+?)"?$/.exec(message) ?? [];
  const reason = argument ? `${argument} is ${plain(theirs)}, the worker declares ${plain(ours)}` : message;
  return new StartupError(
    `queue '${queue}' exists with other arguments: ${reason}; change the setting, delete the queue, or set TOPOLOGY=check`,
    EXIT_CONFIG,
  );
}

/** `the value '5' of type 'signedint'` → `5`, in the broker's words for an argument. */
function plain(value = ''): string {
  if (value === 'none') return 'not set';
  const [, text] = /^(?:the value )?'(.*?)'(?: of type '.*')?$/.exec(value) ?? [];
  return text === '' ? 'empty' : (text ?? value);
}
