import type { ChannelModel } from 'amqplib';
import { onOwnChannel } from './own-channel.js';
import { describeDifferences, Difference, differencesOf } from './queue-difference.js';
import { tryRoundTrip } from './round-trip.js';
import { topologyError, wrongQueue } from './topology-errors.js';
import { delayOf, WorkerQueue } from './worker-queue.js';

const NOT_PERMITTED = 'this user may not declare it (no configure permission)';

/** Arguments that a policy can set as well, which nobody sees who declares the queue. */
const POLICY_ARGUMENTS = new Set([
  'x-message-ttl',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-dead-letter-strategy',
  'x-overflow',
  'x-delivery-limit',
]);
/** No queue may have this: the broker deletes it, with what is in it, when nobody uses it for that long. */
const UNUSABLE = 'x-expires';
/** What brings a message from a retry queue back, without and with the delay. */
const WAY_BACK = ['x-dead-letter-exchange', 'x-dead-letter-routing-key'];
const DELAYED_WAY_BACK = ['x-message-ttl', ...WAY_BACK];

interface CheckOptions {
  /** The request queue. */
  readonly requests: string;
  /** There is time to try whether messages come back. */
  readonly mayProbe: boolean;
}

/**
 * Verifies queues that somebody else has declared, and creates none. What a queue has besides, such as a limit of its
 * length, is not the worker's business.
 *
 * @returns a sentence for each queue that cannot be verified
 * @throws StartupError for a queue that is missing or certainly wrong
 */
export async function checkQueues(
  connection: ChannelModel,
  queues: readonly WorkerQueue[],
  options: CheckOptions,
): Promise<string[]> {
  const doubts: string[] = [];
  for (const queue of queues) {
    const doubt = await checkQueue(connection, queue, options);
    if (doubt) doubts.push(doubt);
  }
  return doubts;
}

async function checkQueue(
  connection: ChannelModel,
  queue: WorkerQueue,
  { requests, mayProbe }: CheckOptions,
): Promise<string | undefined> {
  const open = await openArguments(connection, queue);
  if (open?.length === 0) return undefined;
  const delayMs = delayOf(queue);
  if (delayMs === undefined) return `the arguments of '${queue.name}': ${reasonOf(open)}`;
  const isWayOpen = !open || open.some(({ name }) => DELAYED_WAY_BACK.includes(name));
  const trip =
    mayProbe && isWayOpen
      ? await tryRoundTrip(connection, { requests, retry: queue.name, delayMs })
      : 'unknown';
  if (trip === 'lost')
    throw wrongQueue(
      queue.name,
      `it does not send messages back to '${requests}' after ${delayMs} ms: a probe did not arrive there in time` +
        (open ? `; ${describeDifferences(open)}, and no policy makes up for it` : ''),
    );
  const verified: readonly string[] = { full: DELAYED_WAY_BACK, way: WAY_BACK, unknown: [] }[trip];
  const rest = open?.filter(({ name }) => !verified.includes(name));
  if (rest ? rest.length === 0 : trip === 'full') return undefined;
  return `that '${queue.name}' sends messages back to '${requests}' after ${delayMs} ms: ${reasonOf(rest)}`;
}

/**
 * The arguments that the queue itself does not have, and that a policy may set; undefined where the broker does not tell.
 *
 * @throws StartupError for a queue that is missing or has another argument
 */
async function openArguments(
  connection: ChannelModel,
  { name, options }: WorkerQueue,
): Promise<Difference[] | undefined> {
  let differences: Difference[];
  try {
    // Without this, declaring a queue that is missing would create it.
    await onOwnChannel(connection, (channel) => channel.checkQueue(name));
    differences = await differencesOf(connection, name, options);
  } catch (error) {
    if ((error as { code?: number }).code === 403) return undefined;
    throw topologyError(name, error);
  }
  if (differences.some(isWrong)) throw wrongQueue(name, describeDifferences(differences));
  return differences.filter(({ ours }) => ours !== undefined);
}

function isWrong({ name, ours, theirs }: Difference): boolean {
  if (ours === undefined) return name === UNUSABLE;
  return theirs !== undefined || !POLICY_ARGUMENTS.has(name);
}

function reasonOf(open: readonly Difference[] | undefined): string {
  return open ? `${describeDifferences(open)}, which a policy may set` : NOT_PERMITTED;
}
