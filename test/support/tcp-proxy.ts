import { once } from 'node:events';
import { AddressInfo, connect, createServer, Server, Socket } from 'node:net';
import { BROKER_URL } from './broker-client.js';

/** A network between worker and broker that the test can cut and mend, whatever broker it is. */
export class TcpProxy {
  private server: Server | undefined;
  private port = 0;
  private readonly sockets = new Set<Socket>();

  /** The broker's URL, by way of this proxy. */
  get url(): string {
    const url = new URL(BROKER_URL);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  /** Takes a port without listening on it: the broker is "down". */
  async reserve(): Promise<this> {
    await this.open();
    await this.close();
    return this;
  }

  async open(): Promise<this> {
    this.server = createServer((client) => {
      const broker = new URL(BROKER_URL);
      const upstream = connect(Number(broker.port || 5672), broker.hostname);
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.sockets.add(socket);
        socket.setNoDelay(true);
        socket.pipe(other);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          other.destroy();
          this.sockets.delete(socket);
        });
      }
    });
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  /** Resets every connection; new ones are let through. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Resets every connection and refuses new ones. */
  async close(): Promise<void> {
    const closed = this.server && once(this.server, 'close');
    this.server?.close();
    this.cut();
    await closed;
    this.server = undefined;
  }
}
