import { ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Broker, serverVersion, START_TIMEOUT_MS } from './broker.js';

const run = promisify(execFile);

const STOP_TIMEOUT_MS = 15_000;

/** What a node has beside its defaults. */
export interface PrivateServerOptions {
  /** Before the `@`. */
  readonly nodeName?: string;
  readonly user?: string;
  readonly password?: string;
  /** Lines of `rabbitmq.conf`. */
  readonly config?: readonly string[];
  /** The content of `advanced.config`. */
  readonly advancedConfig?: string;
  /** Nodes of one cluster have these two in common. */
  readonly cookie?: string;
  readonly epmdPort?: number;
}

/** A RabbitMQ node of its own: name, ports, cookie and data in a temporary folder; nothing of the system's is touched. */
export class PrivateServer {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly command: readonly string[],
    private readonly folder: string,
    private readonly nodeEnv: Readonly<Record<string, string>>,
    readonly url: string,
  ) {}

  /** @param command the command that starts it */
  static async prepare(
    command: readonly string[],
    options: PrivateServerOptions = {},
  ): Promise<PrivateServer> {
    const { nodeName = `onnxmq-${process.pid}`, user = 'guest', password = 'guest', cookie } = options;
    const folder = await mkdtemp(join(tmpdir(), 'onnxmq-rabbitmq-'));
    await mkdir(join(folder, 'log'));
    const [port = 0, distPort = 0, epmdPort = 0] = await freePorts(3);
    const config = [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      `default_user = ${user}`,
      `default_pass = ${password}`,
      ...(options.config ?? []),
    ];
    await writeFile(join(folder, 'enabled_plugins'), '[].\n');
    await writeFile(join(folder, 'rabbitmq.conf'), `${config.join('\n')}\n`);
    await writeFile(join(folder, 'advanced.config'), options.advancedConfig ?? '[].\n');
    if (cookie) await writeFile(join(folder, '.erlang.cookie'), cookie, { mode: 0o400 });
    const nodeEnv = {
      HOME: folder, // the Erlang cookie
      RABBITMQ_NODENAME: `${nodeName}@localhost`,
      RABBITMQ_DIST_PORT: String(distPort),
      ERL_EPMD_PORT: String(options.epmdPort ?? epmdPort),
      ERL_EPMD_RELAXED_COMMAND_CHECK: 'true', // else it does not end while it still knows a node that was killed
      RABBITMQ_MNESIA_BASE: join(folder, 'data'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_LOGS: join(folder, 'log', 'rabbit.log'),
    };
    return new PrivateServer(command, folder, nodeEnv, `amqp://${user}:${password}@127.0.0.1:${port}`);
  }

  get nodeName(): string {
    return this.nodeEnv['RABBITMQ_NODENAME'] ?? '';
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** How to call its `rabbitmqctl`. */
  get control(): NonNullable<Broker['control']> {
    const behind = '/usr/lib/rabbitmq/bin/rabbitmqctl';
    return {
      file: existsSync(behind) ? behind : 'rabbitmqctl',
      args: ['--quiet'],
      env: this.nodeEnv,
    };
  }

  /**
   * Starts it, for the first time or again on the same data and port.
   *
   * @returns its version, once it takes connections
   */
  async start(signal?: AbortSignal): Promise<string> {
    const [file = '', ...args] = this.command;
    // A process group of its own: Ctrl-C reaches this process only, which then stops the broker last.
    const child = spawn(file, args, { env: this.env, detached: true, stdio: 'ignore' });
    this.child = child;
    return serverVersion(this.url, START_TIMEOUT_MS, signal, () => child.exitCode !== null);
  }

  /** Ends it in order, or hard where it takes too long. */
  async stop(): Promise<void> {
    const { child } = this;
    if (!child || !isRunning(child)) return;
    const exited = once(child, 'exit');
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  /** Ends it by SIGKILL. */
  async kill(): Promise<void> {
    const { child } = this;
    if (!child || !isRunning(child)) return;
    const exited = once(child, 'exit');
    this.signal('SIGKILL');
    await exited;
  }

  /** Sends a signal to all of its processes. */
  signal(signal: NodeJS.Signals): void {
    try {
      if (this.child?.pid) process.kill(-this.child.pid, signal);
    } catch {
      // It has just ended by itself.
    }
  }

  /** What it has logged so far. */
  log(): Promise<string> {
    return readFile(join(this.folder, 'log', 'rabbit.log'), 'utf8').catch(() => '');
  }

  /** Deletes its data and ends its port mapper; the other nodes of its cluster are about to go as well. */
  async remove(): Promise<void> {
    const port = this.nodeEnv['ERL_EPMD_PORT'] ?? '';
    await run('epmd', ['-port', port, '-kill'], { env: this.env }).catch(() => {});
    await rm(this.folder, { recursive: true, force: true });
  }

  private get env(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.nodeEnv };
  }
}

/** Ports that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
