import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { AmqpConnectionManager, AmqpConnectionManagerOptions, connect } from 'amqp-connection-manager';
import { maskCredentials, Settings } from '../config/settings.js';
import { Backoff } from './backoff.js';
import { credentialsOf } from './broker-url.js';
import { refusalBy } from './connect-refusal.js';
import { tlsFiles } from './tls-files.js';

/** A peer that is gone is noticed after two to three heartbeats. */
const HEARTBEAT_S = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const STABLE_AFTER_MS = 1_000;
/** Two of them, after the drain, are well within what the shutdown allows. */
const CLOSE_TIMEOUT_MS = 1_500;
/** At Node 20's 16 KiB, a batch of 64 answers would leave in many small writes instead of one. */
const SOCKET_BUFFER_BYTES = 256 * 1024;

/**
 * A connection to RabbitMQ that comes back by itself, with growing, jittered delays, and says in the log when
 * it is lost, awaited and back.
 *
 * @param role shown in the log and in the broker's list of connections
 */
export function openBrokerConnection(settings: Settings, role: 'consume' | 'publish'): AmqpConnectionManager {
  const connectionOptions = {
    noDelay: true, // amqplib leaves Nagle's algorithm on: up to 40 ms at low load
    keepAlive: true,
    timeout: CONNECT_TIMEOUT_MS,
    highWaterMark: SOCKET_BUFFER_BYTES,
    clientProperties: { connection_name: `onnxmq ${role} ${hostname()}:${process.pid}` },
    ...tlsFiles(settings),
  } as AmqpConnectionManagerOptions['connectionOptions'];
  const brokers = settings.RABBITMQ_URL.map((url) => ({
    url,
    connectionOptions: { ...connectionOptions, credentials: credentialsOf(url) },
  }));
  const manager = connect(brokers, { heartbeatIntervalInSeconds: HEARTBEAT_S });
  const logger = new Logger('RabbitMQ');
  const backoff = new Backoff();
  let connectedAt = performance.now();
  const delayNextAttempt = () => {
    // Read by the manager after it has emitted the event that calls this.
    manager.reconnectTimeInSeconds = backoff.next() / 1000;
    return `${(manager.reconnectTimeInSeconds ?? 0).toFixed(1)} s`;
  };
  delayNextAttempt();
  manager.on('connect', ({ url }) => {
    connectedAt = performance.now();
    const server = manager.connection?.connection.serverProperties;
    logger.log(`${role}: connected to ${server?.product} ${server?.version} at ${describeUrl(url)}`);
  });
  manager.on('connectFailed', ({ err, url }) => {
    const delay = delayNextAttempt();
    // Each doubling of the attempts is worth a line, not each attempt.
    if (!Number.isInteger(Math.log2(backoff.attempt))) return;
    const reason = (typeof url === 'string' && refusalBy(err, url)) || reasonOf(err);
    logger.warn(`${role}: waiting for RabbitMQ at ${describeUrl(url)} (${reason}); next try in ${delay}`);
  });
  manager.on('disconnect', ({ err }) => {
    // One that did not last has failed as well.
    if (performance.now() - connectedAt > STABLE_AFTER_MS) backoff.reset();
    logger.warn(`${role}: connection lost (${reasonOf(err)}); next try in ${delayNextAttempt()}`);
  });
  manager.on('blocked', ({ reason }) => logger.warn(`${role}: the broker blocks publishing (${reason})`));
  manager.on('unblocked', () => logger.log(`${role}: the broker takes messages again`));
  return manager;
}

/**
 * Breaks a connection, upon which its manager makes a new one and runs the setup again. The manager's own `reconnect()`
 * takes its listeners off first, so that a socket that dies meanwhile would end the process.
 */
export function renewConnection(manager: AmqpConnectionManager | null | undefined, reason: string): void {
  const { stream } = (manager?.connection?.connection ?? {}) as { stream?: Duplex };
  stream?.destroy(new Error(reason));
}

/**
 * Closes a connection, and waits for as long as the broker may take part in it: amqplib waits for its word for ever, also
 * on a dead socket. A connection that is not there yet, or not any more, has nothing to wait for.
 */
export async function closeInTime(
  manager: Pick<AmqpConnectionManager, 'connection'> | null | undefined,
  close: () => Promise<unknown> | undefined,
): Promise<void> {
  const isConnected = manager?.connection !== undefined;
  const closing = close();
  if (isConnected) await inTime(closing, CLOSE_TIMEOUT_MS);
  else closing?.catch(() => {});
}

/** Resolves when that is done or has failed, or after so many ms. */
export async function inTime(doing: Promise<unknown> | undefined, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => (timer = setTimeout(resolve, timeoutMs).unref()));
  await Promise.race([doing?.catch(() => {}), timeout]);
  clearTimeout(timer);
}

function describeUrl(url: unknown): string {
  return typeof url === 'string' ? maskCredentials(url) : 'the broker';
}

/** Connection errors of several addresses come as one AggregateError without a message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'closed';
  const { code } = error as NodeJS.ErrnoException;
  return maskCredentials(error.message || code || error.name);
}
