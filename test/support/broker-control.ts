import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface ControlCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

const control = JSON.parse(process.env['BROKER_CONTROL'] ?? 'null') as ControlCommand | null;

/** True where the tests started the broker: one that was given by RABBITMQ_URL is not tampered with. */
export const canControlBroker = control !== null;

/** `rabbitmqctl`. */
export async function rabbitmqctl(...args: string[]): Promise<string> {
  if (!control) throw new Error('the broker was given by RABBITMQ_URL; the tests do not tamper with it');
  const { stdout } = await run(control.file, [...control.args, ...args], {
    env: { ...process.env, ...control.env },
  });
  return stdout;
}

/** Closes the broker's side of both connections of a worker, found by its process id. */
export async function closeConnectionsOf(pid: number): Promise<void> {
  const connections = await rabbitmqctl('list_connections', 'pid', 'client_properties');
  const own = connections.split('\n').filter((line) => line.includes(`:${pid}"`));
  await Promise.all(own.map((line) => rabbitmqctl('close_connection', line.split('\t')[0] ?? '', 'test')));
}
