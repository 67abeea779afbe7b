import { randomUUID } from 'node:crypto';
import { freePorts } from '../../../src/cli/private-server.js';
import { eventually } from '../../support/eventually.js';
import { BrokerKind, BrokerOptions } from './broker-host.js';
import { BrokerNode } from './broker-node.js';
import { ContainerHost, docker } from './container.host.js';
import { NativeHost } from './native.host.js';

const SIZE = 3;
/** A node that was cut off stops by itself, as RabbitMQ's cluster operator has it; left alone, 3.10 stays divided. */
const CLUSTER_CONFIG = ['cluster_partition_handling = pause_minority'];

/** Three nodes that are one broker. */
export class Cluster {
  private constructor(
    readonly nodes: readonly BrokerNode[],
    private readonly cookie: string,
    private readonly removeNetwork: () => Promise<unknown>,
  ) {}

  static async open(kind: BrokerKind, options: BrokerOptions = {}): Promise<Cluster> {
    const cookie = `lab-${randomUUID()}`;
    const prepare = kind === 'native' ? prepareNative : prepareContainers;
    const config = [...CLUSTER_CONFIG, ...(options.config ?? [])];
    const { nodes, removeNetwork } = await prepare(cookie, { ...options, config });
    const cluster = new Cluster(nodes, cookie, removeNetwork);
    try {
      await cluster.join();
      return cluster;
    } catch (error) {
      await cluster.remove();
      throw error;
    }
  }

  /** The node that leads a quorum queue. */
  async leaderOf(queue: string): Promise<BrokerNode> {
    const [asked] = this.nodes;
    const table = (await asked?.ctl('list_queues', '--no-table-headers', 'name', 'leader')) ?? '';
    const name = table
      .split('\n')
      .map((line) => line.split('\t'))
      .find(([first]) => first === queue)?.[1];
    const leader = this.nodes.find((node) => node.name === name);
    if (!leader) throw new Error(`no node leads '${queue}'`);
    return leader;
  }

  /** Resolves when each node has its part in those quorum queues. */
  async untilWhole(...queues: readonly string[]): Promise<void> {
    const [asked] = this.nodes as [BrokerNode];
    await eventually(
      () => asked.ctl('list_queues', '--no-table-headers', 'name', 'online'),
      (table) => queues.every((queue) => onlineNodes(table, queue) === SIZE),
    );
  }

  /** The other nodes. */
  othersThan(node: BrokerNode): BrokerNode[] {
    return this.nodes.filter((other) => other !== node);
  }

  /** Cuts one node off from the two others; clients reach all three. */
  async isolate(node: BrokerNode): Promise<void> {
    for (const other of this.othersThan(node)) {
      await shutOut(node, other);
      await shutOut(other, node);
    }
    await eventually(
      () => node.evaluate('nodes()'),
      (peers) => peers === '[]',
    );
  }

  /** Ends the isolation. */
  async heal(node: BrokerNode): Promise<void> {
    for (const other of this.othersThan(node)) {
      await other.evaluate(`erlang:set_cookie('${node.name}', '${this.cookie}')`);
      await node.evaluate(
        `erlang:set_cookie('${other.name}', '${this.cookie}'), net_kernel:connect_node('${other.name}')`,
      );
    }
  }

  async remove(): Promise<void> {
    for (const node of this.nodes) await node.remove();
    await this.removeNetwork();
  }

  private async join(): Promise<void> {
    const [first, ...others] = this.nodes as [BrokerNode, ...BrokerNode[]];
    await Promise.all(this.nodes.map((node) => node.start()));
    for (const node of others) {
      await node.stopApp();
      await node.ctl('reset');
      await node.ctl('join_cluster', first.name);
      await node.startApp();
    }
  }
}

/** In a table of queues and the nodes that they are online at. */
function onlineNodes(table: string, queue: string): number {
  const row = table.split('\n').find((line) => line.startsWith(`${queue}\t`)) ?? '';
  return row.match(/@/g)?.length ?? 0;
}

interface Makings {
  readonly nodes: readonly BrokerNode[];
  readonly removeNetwork: () => Promise<unknown>;
}

async function prepareNative(cookie: string, options: BrokerOptions): Promise<Makings> {
  const [epmdPort = 0] = await freePorts(1);
  const nodes: BrokerNode[] = [];
  for (let index = 1; index <= SIZE; index++) {
    const nodeName = `onnxmq-${process.pid}-${index}`;
    nodes.push(new BrokerNode(await NativeHost.prepare({ ...options, nodeName, cookie, epmdPort })));
  }
  return { nodes, removeNetwork: async () => {} };
}

async function prepareContainers(cookie: string, options: BrokerOptions): Promise<Makings> {
  const network = `onnxmq-${cookie}`;
  await docker('network', 'create', network);
  const nodes: BrokerNode[] = [];
  for (let index = 1; index <= SIZE; index++) {
    const hostname = `onnxmq-lab-${index}`;
    nodes.push(new BrokerNode(await ContainerHost.prepare({ ...options, hostname, network, cookie })));
  }
  return { nodes, removeNetwork: () => docker('network', 'rm', network) };
}

/** Has a node not take another one's connections. The cookies must differ on the two sides, or they match again. */
async function shutOut(node: BrokerNode, other: BrokerNode): Promise<void> {
  const setCookie = `erlang:set_cookie('${other.name}', 'of ${node.name}')`;
  await node.evaluate(`${setCookie}, erlang:disconnect_node('${other.name}')`);
}
