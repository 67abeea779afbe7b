import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { maskCredentials } from '../config/settings.js';

const run = promisify(execFile);

/** The image of docker-compose.yml. */
const BROKER_IMAGE = 'rabbitmq:4-management-alpine';
const START_TIMEOUT_MS = 60_000;
const GIVEN_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 15_000;
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

/**
 * The first of: `RABBITMQ_URL`; a container, where a Docker engine answers and has or gets the image; a private
 * `rabbitmq-server`; the same after installing it, as root on Debian or Ubuntu.
 *
 * @param say told each thing that is started or installed
 * @throws Error that lists these ways
 */
export async function findBroker(say: (line: string) => void, signal?: AbortSignal): Promise<Broker> {
  const [url] = process.env['RABBITMQ_URL']?.split(',') ?? [];
  if (url) return givenBroker(url, signal);
  const container = await startContainer(say, signal);
  if (container) return container;
  if (!(await findServer())) await installServer(say, signal);
  const server = await findServer();
  if (server) return startPrivateServer(server, say, signal);
  throw new Error(
    'there is no RabbitMQ to work with. Any of these will do: set RABBITMQ_URL to a running one; start Docker; ' +
      'put rabbitmq-server on the PATH; run as root on Debian or Ubuntu, so that it can be installed',
  );
}

async function givenBroker(url: string, signal?: AbortSignal): Promise<Broker> {
  try {
    const version = await serverVersion(url, GIVEN_TIMEOUT_MS, signal);
    return { url, description: `RabbitMQ ${version} at RABBITMQ_URL`, stop: async () => {} };
  } catch (error) {
    throw new Error(`no RabbitMQ answers at RABBITMQ_URL, ${maskCredentials(url)} (${firstLine(error)})`, {
      cause: error,
    });
  }
}

async function startContainer(
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<Broker | undefined> {
  // Its reaper would be a second image to get; what is started here is stopped here.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 });
  } catch {
    return undefined;
  }
  try {
    const { RabbitMQContainer } = await import('@testcontainers/rabbitmq');
    say(`starting ${BROKER_IMAGE} in Docker`);
    const container = await new RabbitMQContainer(BROKER_IMAGE).start();
    const url = container.getAmqpUrl().replace('amqp://', 'amqp://guest:guest@');
    const stop = async () => {
      await container.stop();
    };
    const version = await serverVersion(url, START_TIMEOUT_MS, signal).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    return {
      url,
      description: `RabbitMQ ${version} in Docker (${BROKER_IMAGE})`,
      control: { file: 'docker', args: ['exec', container.getId(), 'rabbitmqctl', '--quiet'], env: {} },
      stop,
    };
  } catch (error) {
    signal?.throwIfAborted();
    say(`Docker answers, but ${BROKER_IMAGE} does not start (${firstLine(error)})`);
    return undefined;
  }
}

/** Debian's `rabbitmq-server` on the PATH runs as the system's user only; the script behind it runs as anyone. */
async function findServer(): Promise<string | undefined> {
  const behind = '/usr/lib/rabbitmq/bin/rabbitmq-server';
  if (existsSync(behind)) return behind;
  return run('which', ['rabbitmq-server']).then(
    ({ stdout }) => stdout.trim() || undefined,
    () => undefined,
  );
}

async function installServer(say: (line: string) => void, signal?: AbortSignal): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return;
  say('installing the Debian package rabbitmq-server (apt-get), which takes a minute or two');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Only the package: the system's own service is not wanted.
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await run('apt-get', ['update', '-q'], { env, signal });
    await run('apt-get', ['install', '-qy', '--no-install-recommends', 'rabbitmq-server'], {
      env,
      signal,
      maxBuffer: 64 << 20,
    });
  } catch (error) {
    throw new Error(`apt-get could not install rabbitmq-server: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

/** A node of its own: name, ports, cookie and data in a temporary folder; nothing of the system's is touched. */
async function startPrivateServer(
  server: string,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<Broker> {
  say('starting a private rabbitmq-server');
  const folder = await mkdtemp(join(tmpdir(), 'onnxmq-rabbitmq-'));
  await mkdir(join(folder, 'log'));
  await writeFile(join(folder, 'enabled_plugins'), '[].\n');
  const [port, distPort, epmdPort] = await freePorts(3);
  await writeFile(join(folder, 'rabbitmq.conf'), `listeners.tcp.1 = 127.0.0.1:${port}\n`);
  const nodeEnv = {
    HOME: folder, // the Erlang cookie
    RABBITMQ_NODENAME: `onnxmq-${process.pid}@localhost`,
    RABBITMQ_DIST_PORT: String(distPort),
    ERL_EPMD_PORT: String(epmdPort),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_LOGS: join(folder, 'log', 'rabbit.log'),
  };
  const env = { ...process.env, ...nodeEnv };
  // A process group of its own: Ctrl-C reaches this process only, which then stops the broker last.
  const child = spawn(server, { env, detached: true, stdio: 'ignore' });
  const exited = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      killGroup(child.pid, 'SIGTERM');
      const timer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    }
    await run('epmd', ['-port', String(epmdPort), '-kill'], { env }).catch(() => {});
    await rm(folder, { recursive: true, force: true });
  };
  const behind = '/usr/lib/rabbitmq/bin/rabbitmqctl';
  const control = { file: existsSync(behind) ? behind : 'rabbitmqctl', args: ['--quiet'], env: nodeEnv };
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  try {
    const version = await serverVersion(url, START_TIMEOUT_MS, signal, () => child.exitCode !== null);
    return {
      url,
      description: `RabbitMQ ${version}, a private rabbitmq-server on port ${port}`,
      control,
      stop,
    };
  } catch (error) {
    const log = await readFile(join(folder, 'log', 'rabbit.log'), 'utf8').catch(() => '');
    await stop();
    throw new Error(
      `rabbitmq-server does not start (${firstLine(error)})\n${log.split('\n').slice(-15).join('\n')}`,
      { cause: error },
    );
  }
}

/** Waits until the broker takes connections. */
async function serverVersion(
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
      const connection = await connect(url, { timeout: 5_000 });
      const { version } = connection.connection.serverProperties;
      await connection.close();
      return version;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(POLL_MS);
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid) process.kill(-pid, signal);
  } catch {
    // It has just ended by itself.
  }
}

function firstLine(error: unknown): string {
  return (
    (error instanceof Error
      ? error.message || (error as NodeJS.ErrnoException).code || error.name
      : String(error)
    ).split('\n')[0] ?? ''
  );
}
