import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'amqplib';
import { credentialsOf } from '../rabbitmq/broker-url.js';

/** How long a broker that is started here may take. */
export const START_TIMEOUT_MS = 60_000;
const POLL_MS = 200;

/** A RabbitMQ to work with. */
export interface Broker {
  readonly url: string;
  /** One line for a person: what it is and where it came from. */
  readonly description: string;
  /** How to call `rabbitmqctl` for a broker started here; there is no way for one that was given by its URL. */
  readonly control?: {
    readonly file: string;
    readonly args: readonly string[];
    readonly env: NodeJS.ProcessEnv;
  };
  /** Ends what was started here. */
  stop(): Promise<void>;
}

/** Waits until the broker takes connections, and says which version it is. */
export async function serverVersion(
  url: string,
  timeoutMs: number,
  signal?: AbortSignal,
  hasExited: () => boolean = () => false,
): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (hasExited()) throw new Error('it ended at once');
    try {
      const connection = await connect(url, { timeout: 5_000, credentials: credentialsOf(url) });
      const { version } = connection.connection.serverProperties;
      await connection.close();
      return version;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(POLL_MS);
    }
  }
}

/** An error in one line. */
export function firstLine(error: unknown): string {
  return (
    (error instanceof Error
      ? error.message || (error as NodeJS.ErrnoException).code || error.name
      : String(error)
    ).split('\n')[0] ?? ''
  );
}
