import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PrivateServer, PrivateServerOptions } from '../../../src/cli/private-server.js';
import { findServer } from '../../../src/cli/private-broker.js';
import { BrokerHost, LAB_PASSWORD, LAB_USER } from './broker-host.js';

const run = promisify(execFile);

/** A node of the machine's own `rabbitmq-server`, with data, ports and cookie of its own. */
export class NativeHost implements BrokerHost {
  private constructor(private readonly server: PrivateServer) {}

  static async prepare(options: PrivateServerOptions = {}): Promise<NativeHost> {
    const command = await findServer();
    if (!command) throw new Error('there is no rabbitmq-server on this machine');
    return new NativeHost(
      await PrivateServer.prepare([command], { user: LAB_USER, password: LAB_PASSWORD, ...options }),
    );
  }

  get nodeName(): string {
    return this.server.nodeName;
  }

  get url(): string {
    return this.server.url;
  }

  start(): Promise<string> {
    return this.server.start();
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  kill(): Promise<void> {
    return this.server.kill();
  }

  async freeze(): Promise<void> {
    this.server.signal('SIGSTOP');
  }

  async thaw(): Promise<void> {
    this.server.signal('SIGCONT');
  }

  async ctl(...args: string[]): Promise<string> {
    const { file, args: first, env } = this.server.control;
    const { stdout } = await run(file, [...first, ...args], { env: { ...process.env, ...env } });
    return stdout;
  }

  log(): Promise<string> {
    return this.server.log();
  }

  remove(): Promise<void> {
    return this.server.remove();
  }
}
