import { findServer } from '../../../src/cli/private-broker.js';
import { eventually } from '../../support/eventually.js';
import { BrokerHost, BrokerKind, BrokerOptions } from './broker-host.js';
import { BROKER_IMAGE, ContainerHost, docker } from './container.host.js';
import { NativeHost } from './native.host.js';

/** Low enough to be passed at once. */
const SMALL_WATERMARK = '0.00001';
/** More than any disk has. */
const LARGE_DISK_LIMIT = '9000GB';

/** A real RabbitMQ node that nobody else uses, and all that can be done to it. */
export class BrokerNode {
  private runningVersion = '';
  private watermark = '0.4';

  constructor(private readonly host: BrokerHost) {}

  /** Starts a node of that kind. */
  static async open(kind: BrokerKind, options: BrokerOptions = {}): Promise<BrokerNode> {
    const host = await (kind === 'native' ? NativeHost : ContainerHost).prepare(options);
    const node = new BrokerNode(host);
    try {
      await node.start();
    } catch (error) {
      const log = await host.log();
      await node.remove();
      throw new Error(`the node does not start:\n${log.split('\n').slice(-15).join('\n')}`, { cause: error });
    }
    return node;
  }

  get version(): string {
    return this.runningVersion;
  }

  get name(): string {
    return this.host.nodeName;
  }

  get url(): string {
    return this.host.url;
  }

  /** Starts it, for the first time or again on the same data and port; resolves when it takes connections. */
  async start(): Promise<void> {
    this.runningVersion = await this.host.start();
  }

  /** Ends it in order. */
  stop(): Promise<void> {
    return this.host.stop();
  }

  /** Ends it by SIGKILL. */
  kill(): Promise<void> {
    return this.host.kill();
  }

  /** Stops its processes where they are: it says nothing any more, and its sockets stay open. */
  freeze(): Promise<void> {
    return this.host.freeze();
  }

  thaw(): Promise<void> {
    return this.host.thaw();
  }

  /** `rabbitmqctl`. */
  ctl(...args: string[]): Promise<string> {
    return this.host.ctl(...args);
  }

  /** The value of an Erlang expression in the node. */
  async evaluate(expression: string): Promise<string> {
    return (await this.ctl('eval', `${expression}.`)).trim();
  }

  /** Stops RabbitMQ in the Erlang node, in order. */
  async stopApp(): Promise<void> {
    await this.ctl('stop_app');
  }

  async startApp(): Promise<void> {
    await this.ctl('start_app');
  }

  async closeAllConnections(reason: string): Promise<void> {
    await this.ctl('close_all_connections', '--global', reason);
  }

  /** Takes no new connections; the open ones stay. */
  async suspendListeners(): Promise<void> {
    await this.ctl('suspend_listeners');
  }

  async resumeListeners(): Promise<void> {
    await this.ctl('resume_listeners');
  }

  /** Has it think that it is short of memory: it then takes nothing from publishers. */
  async startMemoryAlarm(): Promise<void> {
    this.watermark = await this.evaluate('vm_memory_monitor:get_vm_memory_high_watermark()');
    await this.ctl('set_vm_memory_high_watermark', SMALL_WATERMARK);
    await this.untilAlarms((alarms) => alarms.includes('memory'));
  }

  async endMemoryAlarm(): Promise<void> {
    await this.ctl('set_vm_memory_high_watermark', this.watermark);
    await this.untilAlarms((alarms) => !alarms.includes('memory'));
  }

  /** Has it think that the disk is full: it then takes nothing from publishers. */
  async startDiskAlarm(): Promise<void> {
    await this.ctl('set_disk_free_limit', LARGE_DISK_LIMIT);
    await this.untilAlarms((alarms) => alarms.includes('disk'));
  }

  async endDiskAlarm(): Promise<void> {
    await this.ctl('set_disk_free_limit', '50MB');
    await this.untilAlarms((alarms) => !alarms.includes('disk'));
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.ctl('delete_queue', queue);
  }

  /** What the node knows of a queue now; `undefined` where there is none. Its counts lag after a restart. */
  async queue(name: string): Promise<QueueState | undefined> {
    const columns = ['name', 'messages_ready', 'messages_unacknowledged', 'consumers'];
    const table = await this.ctl('list_queues', '--no-table-headers', ...columns);
    const row = table
      .split('\n')
      .map((line) => line.split('\t'))
      .find(([first]) => first === name);
    if (!row) return undefined;
    const [, ready, unacknowledged, consumers] = row.map(Number) as [number, number, number, number];
    return { ready, unacknowledged, consumers };
  }

  /** What it has logged so far. */
  log(): Promise<string> {
    return this.host.log();
  }

  /** Ends it and deletes its data. */
  async remove(): Promise<void> {
    await this.host.kill().catch(() => {}); // it may not be running
    await this.host.remove();
  }

  private async untilAlarms(isWished: (alarms: string) => boolean): Promise<void> {
    await eventually(() => this.evaluate('rabbit_alarm:get_alarms()'), isWished);
  }
}

export interface QueueState {
  readonly ready: number;
  readonly unacknowledged: number;
  readonly consumers: number;
}

/** Why nodes of that kind cannot be had here; `undefined` where they can. */
export async function obstacleTo(kind: BrokerKind): Promise<string | undefined> {
  if (kind === 'native')
    return (await findServer()) ? undefined : 'there is no rabbitmq-server on this machine';
  return docker('image', 'inspect', BROKER_IMAGE).then(
    () => undefined,
    () => `no Docker engine answers, or it has no image ${BROKER_IMAGE}`,
  );
}
