import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { BROKER_URL } from './broker-client.js';
import { ProxyFlow } from './proxy-flow.js';

/** Which way bytes go, or both ways. */
export type Direction = 'toBroker' | 'toWorker' | 'both';

interface ProxiedConnection {
  readonly sockets: readonly [worker: Socket, broker: Socket];
  readonly toBroker: ProxyFlow;
  readonly toWorker: ProxyFlow;
}

/** How a link is slow: each byte comes so many ms later, and no more than so many pass in a second. */
export interface Slowness {
  readonly delayMs?: number;
  /** Up to so many ms more, at random; no byte overtakes another. */
  readonly jitterMs?: number;
  readonly bytesPerS?: number;
}

/** Stands between a worker and the broker, on a port of its own, and does what networks do. */
export class TcpProxy {
  /** Connections that were asked for so far. */
  attempts = 0;
  private readonly connections = new Set<ProxiedConnection>();
  private readonly server: Server;
  private port = 0;
  private slowness: Slowness = {};
  private swallowed: Direction | undefined;

  private constructor(private readonly target: URL) {
    this.server = createServer((socket) => this.forward(socket));
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

  /** Cuts all connections, by RST or by FIN; new ones are let through. */
  cut(by: 'RST' | 'FIN' = 'RST'): void {
    for (const { sockets } of this.connections)
      for (const socket of sockets)
        if (by === 'RST') socket.resetAndDestroy();
        else socket.end();
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

  /** Loses all bytes of that direction from now on, also of new connections, and keeps the connections open. */
  blackHole(direction: Direction = 'both'): void {
    this.swallowed = direction;
    for (const connection of this.connections) this.configure(connection);
  }

  /** Loses no more bytes. What was lost stays lost: the connections of before are beyond help, and are cut. */
  endBlackHole(): void {
    this.swallowed = undefined;
    this.cut();
  }

  /** Makes all connections slow, also new ones; `{}` makes them fast again. */
  slow(slowness: Slowness): void {
    this.slowness = slowness;
    for (const connection of this.connections) this.configure(connection);
  }

  /**
   * Keeps back what workers send from now on, of the present connections whose greeting has that text:
   * `onnxmq consume` and `onnxmq publish` are the worker's two.
   */
  hold(greeting: string): void {
    for (const { toBroker } of this.connections) if (toBroker.greeting.includes(greeting)) toBroker.hold();
  }

  /** Lets go of what was kept back. */
  release(): void {
    for (const { toBroker } of this.connections) toBroker.release();
  }

  /** Bytes kept back now. */
  get heldBytes(): number {
    return [...this.connections].reduce((sum, { toBroker }) => sum + toBroker.heldBytes, 0);
  }

  private forward(worker: Socket): void {
    this.attempts++;
    const broker = connect(Number(this.target.port || 5672), this.target.hostname);
    const connection: ProxiedConnection = {
      sockets: [worker, broker],
      toBroker: new ProxyFlow(worker, broker),
      toWorker: new ProxyFlow(broker, worker),
    };
    this.connections.add(connection);
    this.configure(connection);
    for (const [socket, other] of [
      [worker, broker],
      [broker, worker],
    ] as const)
      socket.on('close', () => {
        this.connections.delete(connection);
        other.destroy();
      });
  }

  private configure({ toBroker, toWorker }: ProxiedConnection): void {
    toBroker.slow(this.slowness);
    toWorker.slow(this.slowness);
    toBroker.isSwallowing = this.swallowed === 'both' || this.swallowed === 'toBroker';
    toWorker.isSwallowing = this.swallowed === 'both' || this.swallowed === 'toWorker';
  }
}
