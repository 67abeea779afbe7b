import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { eventually } from './eventually.js';

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

/** Runs a script of the shell where the broker runs, and `rabbitmqctl` is the one of this broker. */
export async function onBrokerNode(script: string): Promise<void> {
  if (!control) throw new Error('the broker was given by RABBITMQ_URL; the tests do not tamper with it');
  const { file, args, env } = control;
  const container = args.slice(0, args.indexOf('rabbitmqctl')); // `exec <id>`
  if (file === 'docker') await run(file, [...container, 'sh', '-ec', script]);
  else
    await run('sh', ['-ec', `rabbitmqctl() { '${file}' ${args.join(' ')} "$@"; }\n${script}`], {
      env: { ...process.env, ...env },
    });
}

/** Moves all that is in a queue to another, by a shovel, as the management page's "Move messages" does. */
export async function shovel(from: string, to: string): Promise<void> {
  if (!control) throw new Error('the broker was given by RABBITMQ_URL; the tests do not tamper with it');
  const plugins = (name: string) => name.replace(/rabbitmqctl$/, 'rabbitmq-plugins');
  await run(plugins(control.file), [...control.args.map(plugins), 'enable', 'rabbitmq_shovel'], {
    env: { ...process.env, ...control.env },
  });
  const ends = { 'src-uri': 'amqp://', 'src-queue': from, 'dest-uri': 'amqp://', 'dest-queue': to };
  const parameters = { ...ends, 'src-delete-after': 'queue-length', 'ack-mode': 'on-confirm' };
  await rabbitmqctl('set_parameter', 'shovel', `move ${from}`, JSON.stringify(parameters));
}

/** Closes the broker's side of a worker's connections, or of the one of that role; found by its process id. */
export async function closeConnectionsOf(pid: number, role?: 'consume' | 'publish'): Promise<void> {
  const connections = await rabbitmqctl('list_connections', 'pid', 'client_properties');
  const own = connections
    .split('\n')
    .filter((line) => line.includes(`:${pid}"`) && (!role || line.includes(`onnxmq ${role} `)));
  if (own.length === 0) throw new Error(`the broker has no such connection of process ${pid}`);
  await Promise.all(own.map((line) => rabbitmqctl('close_connection', line.split('\t')[0] ?? '', 'test')));
}

let highWatermark: string | undefined;

/** Has the broker think that it is short of memory: it then takes no messages from publishers. */
export async function startMemoryAlarm(): Promise<void> {
  highWatermark = (await rabbitmqctl('eval', 'vm_memory_monitor:get_vm_memory_high_watermark().')).trim();
  await rabbitmqctl('set_vm_memory_high_watermark', '0.000001');
  await untilAlarms((alarms) => alarms.includes('memory'));
}

export async function endMemoryAlarm(): Promise<void> {
  if (highWatermark) await rabbitmqctl('set_vm_memory_high_watermark', highWatermark);
  await untilAlarms((alarms) => !alarms.includes('memory'));
}

async function untilAlarms(isWished: (alarms: string) => boolean): Promise<void> {
  await eventually(() => rabbitmqctl('eval', 'rabbit_alarm:get_alarms().'), isWished);
}
