import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverVersion, START_TIMEOUT_MS } from '../../../src/cli/broker.js';
import { freePorts } from '../../../src/cli/private-server.js';
import { BrokerHost, BrokerOptions, LAB_PASSWORD, LAB_USER } from './broker-host.js';

const run = promisify(execFile);

/** The image of docker-compose.yml. */
export const BROKER_IMAGE = 'rabbitmq:4-management-alpine';
const MAX_LOG_BYTES = 256 * 1024 * 1024;

interface ContainerOptions extends BrokerOptions {
  readonly hostname?: string;
  /** Nodes of one cluster have these two in common. */
  readonly network?: string;
  readonly cookie?: string;
}

/** A node in a Docker container. */
export class ContainerHost implements BrokerHost {
  private constructor(
    private readonly name: string,
    private readonly folder: string,
    readonly nodeName: string,
    readonly url: string,
  ) {}

  static async prepare(options: ContainerOptions = {}): Promise<ContainerHost> {
    const { hostname = 'onnxmq-lab', network = 'bridge', cookie = 'onnxmq-lab' } = options;
    const folder = await mkdtemp(join(tmpdir(), 'onnxmq-rabbitmq-'));
    const config = [
      `default_user = ${LAB_USER}`,
      `default_pass = ${LAB_PASSWORD}`,
      ...(options.config ?? []),
    ];
    await writeFile(join(folder, 'rabbitmq.conf'), `${config.join('\n')}\n`);
    await writeFile(join(folder, 'advanced.config'), options.advancedConfig ?? '[].\n');
    await run('chmod', ['-R', 'a+rX', folder]); // read by the container's own user
    const [port = 0] = await freePorts(1);
    const name = `${hostname}-${port}`;
    const env = {
      RABBITMQ_CONFIG_FILE: '/lab/rabbitmq.conf',
      RABBITMQ_ADVANCED_CONFIG_FILE: '/lab/advanced.config',
      RABBITMQ_NODENAME: `rabbit@${hostname}`,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-setcookie ${cookie}`,
      RABBITMQ_CTL_ERL_ARGS: `-setcookie ${cookie}`,
    };
    await docker('create', '--name', name, '--hostname', hostname, '--network', network, '--init',
      ...(network === 'bridge' ? [] : ['--network-alias', hostname]),
      '--publish', `127.0.0.1:${port}:5672`, '--volume', `${folder}:/lab:ro`,
      ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      BROKER_IMAGE); // prettier-ignore
    const url = `amqp://${LAB_USER}:${LAB_PASSWORD}@127.0.0.1:${port}`;
    return new ContainerHost(name, folder, `rabbit@${hostname}`, url);
  }

  async start(): Promise<string> {
    await docker('start', this.name);
    return serverVersion(this.url, START_TIMEOUT_MS);
  }

  async stop(): Promise<void> {
    await this.ctl('shutdown').catch(() => {}); // the container may end before it has answered
    await docker('stop', '--time', '10', this.name);
  }

  async kill(): Promise<void> {
    await docker('kill', this.name);
    await docker('wait', this.name);
  }

  async freeze(): Promise<void> {
    await docker('pause', this.name);
  }

  async thaw(): Promise<void> {
    await docker('unpause', this.name);
  }

  ctl(...args: string[]): Promise<string> {
    return docker('exec', this.name, 'rabbitmqctl', '--quiet', ...args);
  }

  async log(): Promise<string> {
    const { stdout, stderr } = await run('docker', ['logs', this.name], { maxBuffer: MAX_LOG_BYTES });
    return stdout + stderr;
  }

  async remove(): Promise<void> {
    await docker('rm', '--force', '--volumes', this.name);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** What a `docker` command prints. */
export async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args)).stdout;
}
