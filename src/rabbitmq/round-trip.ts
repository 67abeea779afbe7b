import type { ChannelModel, ConfirmChannel, GetMessage } from 'amqplib';
import { inTime } from './broker.connection.js';

/** The `type` of a message that shows whether a retry queue sends messages back. Every worker acknowledges it unread. */
const PROBE_TYPE = 'onnxmq.probe';
export const PROBE_BODY = Buffer.from(
  'An onnxmq worker sent this to see whether it comes back. It asks for nothing.',
);

/** How long a start waits for a probe to pass the whole delay; of a queue with a longer one only the way is tried. */
const MAX_DELAY_MS = 2_000;
/** A broker that is slow is no reason to refuse its queues. */
const PATIENCE_MS = 5_000;
const GRACE_MS = 1_000;
const CLOSE_TIMEOUT_MS = 1_500;
const POLL_MS = 20;
/** By so much timers may be early. */
const CLOCK_MS = 10;

/** `full`: after the delay and where it should; `way`: where it should, but too early or by its own TTL; `lost`: too late or never; `unknown`: nobody can tell. */
export type RoundTrip = 'full' | 'way' | 'lost' | 'unknown';

/** From a retry queue back to the request queue. */
interface Way {
  readonly requests: string;
  readonly retry: string;
  readonly delayMs: number;
}

/** Also told by its body: a request of that `type` is still a request. */
export function isProbe({ properties, content }: Pick<GetMessage, 'properties' | 'content'>): boolean {
  return properties.type === PROBE_TYPE && content.equals(PROBE_BODY);
}

/**
 * Sends a probe into a retry queue, waits until it is in the request queue, and takes it out there. The verdict is certain
 * because nothing is sent unless both queues are empty and nobody consumes. A worker that starts to consume meanwhile may
 * receive the probe, and acknowledges it.
 */
export async function tryRoundTrip(connection: ChannelModel, way: Way): Promise<RoundTrip> {
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {}); // what is under way rejects with the same error
  try {
    return await sendProbe(channel, way);
  } catch (error) {
    if ((error as { code?: number }).code !== 403) throw error;
    return 'unknown'; // RabbitMQ 4.3 tells the length of a queue only to users who may declare it
  } finally {
    await inTime(channel.close(), CLOSE_TIMEOUT_MS); // only then has the broker seen the ack
  }
}

async function sendProbe(channel: ConfirmChannel, { requests, retry, delayMs }: Way): Promise<RoundTrip> {
  for (const queue of [retry, requests])
    if ((await lengthWhileUnused(channel, queue)) !== 0) return 'unknown';
  const isFull = delayMs <= MAX_DELAY_MS;
  const latestMs = PATIENCE_MS + (isFull ? delayMs : 0);
  // Where the queue has no TTL, the probe leaves by its own, and is then too late.
  const expiration = isFull ? latestMs + GRACE_MS : 1;
  const sentAt = performance.now();
  channel.sendToQueue(retry, PROBE_BODY, { type: PROBE_TYPE, contentType: 'text/plain', expiration });
  await channel.waitForConfirms();
  for (;;) {
    const elapsedMs = performance.now() - sentAt;
    const length = await lengthWhileUnused(channel, requests);
    if (length === undefined) return 'unknown';
    if (length > 0) {
      if (!(await takeProbe(channel, requests))) return 'unknown';
      if (elapsedMs > latestMs) return 'lost';
      return isFull && elapsedMs >= delayMs - CLOCK_MS ? 'full' : 'way'; // a policy may have a shorter TTL
    }
    if (elapsedMs > latestMs + 2 * GRACE_MS) return 'lost';
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Undefined when somebody consumes. */
async function lengthWhileUnused(channel: ConfirmChannel, queue: string): Promise<number | undefined> {
  const { messageCount, consumerCount } = await channel.checkQueue(queue);
  return consumerCount === 0 ? messageCount : undefined;
}

/** @returns false when there is something else, which stays there */
async function takeProbe(channel: ConfirmChannel, queue: string): Promise<boolean> {
  const message = await channel.get(queue);
  if (!message) return false;
  const isOurs = isProbe(message);
  if (isOurs) channel.ack(message);
  else channel.nack(message);
  return isOurs;
}
