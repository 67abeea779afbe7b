import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChannelModel, connect, type SocketOptions } from 'amqplib';

const RETRY_MS = 200;
const CONNECT_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 2_000;
const HEARTBEAT_S = 5;

/** A connection of the load's own that comes back by itself, to whichever of the nodes takes it. */
export class Link {
  private connection: ChannelModel | undefined;
  private isClosed = false;
  private attempts = 0;

  /** @param use called upon each new connection; the next attempt is due when it fails */
  constructor(
    private readonly urls: readonly string[],
    private readonly use: (connection: ChannelModel) => Promise<void>,
  ) {}

  /** Resolves when the first connection is in use. */
  async open(): Promise<void> {
    while (!this.isClosed) {
      try {
        await this.connectOnce();
        return;
      } catch {
        if (this.connection) breakConnection(this.connection); // half set up
        await delay(RETRY_MS);
      }
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const late = delay(CLOSE_TIMEOUT_MS, undefined, { ref: false });
    await Promise.race([this.connection?.close().catch(() => {}), late]);
    if (this.connection) streamOf(this.connection).destroy();
  }

  private async connectOnce(): Promise<void> {
    const url = new URL(this.urls[this.attempts++ % this.urls.length] ?? '');
    url.searchParams.set('heartbeat', String(HEARTBEAT_S));
    const connection = await connect(url.href, {
      noDelay: true,
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: 'load' },
    } as SocketOptions);
    this.connection = connection;
    connection.on('error', () => {}); // 'close' follows
    let isUsed = false;
    connection.on('close', () => {
      if (isUsed && !this.isClosed) void this.open();
    });
    const closed = new Promise<never>((_, reject) =>
      connection.once('close', () => reject(new Error('closed while being set up'))),
    );
    closed.catch(() => {});
    await Promise.race([this.use(connection), closed]);
    isUsed = true;
  }
}

/** Drops the socket; its link then makes a new connection. Without an error amqplib would wait for the heartbeats. */
export function breakConnection(connection: ChannelModel): void {
  streamOf(connection).destroy(new Error('broken'));
}

function streamOf({ connection }: ChannelModel): Duplex {
  return (connection as unknown as { stream: Duplex }).stream;
}
