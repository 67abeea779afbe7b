import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { BROKER_URL } from './broker-client.js';

/** Stands between a worker and the broker, on a port of its own, and can be cut and closed. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private port = 0;

  private constructor(private readonly target: URL) {
    this.server = createServer((socket) => {
      const upstream = connect(Number(this.target.port || 5672), this.target.hostname);
      for (const [from, to] of [
        [socket, upstream],
        [upstream, socket],
      ] as const) {
        this.sockets.add(from);
        from.setNoDelay(true);
        from.on('data', (chunk) => to.write(chunk));
        from.on('error', () => {}); // 'close' follows
        from.on('close', () => {
          this.sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async open(target = BROKER_URL): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(target));
    await proxy.admit();
    return proxy;
  }

  /** The broker's URL by way of this proxy. */
  url(credentials?: { readonly user: string; readonly password: string }): string {
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    if (credentials) [url.username, url.password] = [credentials.user, credentials.password];
    return url.href;
  }

  /** Cuts all connections; new ones are let through. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Cuts all connections and refuses new ones. */
  async refuse(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.cut();
    await closed;
  }

  /** Takes connections (again), on the same port. */
  async admit(): Promise<void> {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }
}
