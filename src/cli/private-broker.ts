import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Broker, firstLine } from './broker.js';
import { PrivateServer } from './private-server.js';

const run = promisify(execFile);

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
 * Starts a {@link PrivateServer}, and deletes it when it is stopped.
 *
 * @param command the command that starts it
 */
export async function startPrivateServer(
  command: readonly string[],
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<Broker> {
  say('starting a private rabbitmq-server');
  const server = await PrivateServer.prepare(command);
  const stop = async () => {
    await server.stop();
    await server.remove();
  };
  try {
    const version = await server.start(signal);
    return {
      url: server.url,
      description: `RabbitMQ ${version}, a private rabbitmq-server on port ${server.port}`,
      control: server.control,
      stop,
    };
  } catch (error) {
    const log = await server.log();
    await stop();
    throw new Error(
      `rabbitmq-server does not start (${firstLine(error)})\n${log.split('\n').slice(-15).join('\n')}`,
      { cause: error },
    );
  }
}
