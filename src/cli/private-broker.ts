import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Broker, firstLine, serverVersion, START_TIMEOUT_MS } from './broker.js';

const run = promisify(execFile);

const STOP_TIMEOUT_MS = 15_000;

/** Debian's `rabbitmq-server` on the PATH runs as the system's user only; the script behind it runs as anyone. */
export async function findServer(): Promise<string | undefined> {
  const behind = '/usr/lib/rabbitmq/bin/rabbitmq-server';
  if (existsSync(behind)) return behind;
  return run('which', ['rabbitmq-server']).then(
    ({ stdout }) => stdout.trim() || undefined,
    () => undefined,
  );
}

/** As root on Debian or Ubuntu, installs the package; elsewhere does nothing. */
export async function installServer(say: (line: string) => void, signal?: AbortSignal): Promise<void> {
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

/**
 * A node of its own: name, ports, cookie and data in a temporary folder; nothing of the system's is touched.
 *
 * @param command the command that starts it
 */
export async function startPrivateServer(
  command: readonly string[],
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
  const [file = '', ...args] = command;
  const child = spawn(file, args, { env, detached: true, stdio: 'ignore' });
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
