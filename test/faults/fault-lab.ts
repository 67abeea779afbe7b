import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'amqplib';
import { readTestSet } from '../../src/cli/test-set.js';
import { WorkerProcess } from '../../src/cli/worker-process.js';
import { readSettings } from '../../src/config/settings.js';
import { ensureTopology } from '../../src/rabbitmq/topology.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { BrokerKind } from './broker/broker-host.js';
import { BrokerNode } from './broker/broker-node.js';
import { Cluster } from './broker/cluster.js';
import { LabPlan } from './fault-plan.js';
import { LoadClient } from './load/load-client.js';
import { Signal } from './load/signal.js';
import { MemoryCgroup } from './memory-cgroup.js';
import { within } from './patience.js';
import { Supervisor } from './supervisor.js';
import { WorkerWatch } from './worker-watch.js';

/** With the I/O wait: several hundred messages are in hand at any time. */
const RATE_PER_S = 2_500;
const MAX_IN_FLIGHT = 1_000;
export const IO_WAIT_MS = 200;
const START_PATIENCE_MS = 90_000;

/** A broker, its workers and their load: all that a fault can be made of. */
export class FaultLab {
  readonly queue = 'faults';
  readonly deadLetterQueue = `${this.queue}.dead`;
  readonly supervisors: Supervisor[] = [];
  readonly watches: WorkerWatch[] = [];
  /** All workers so far, also those that nobody watches over. */
  readonly launched: WorkerProcess[] = [];
  private readonly looks = new Signal();
  /** What was found to be otherwise than promised. */
  readonly broken: string[] = [];
  /** Measured by the fault itself, by name and unit. */
  readonly figures: Record<string, number> = {};
  /** The settings of each worker. */
  private readonly envs: Readonly<Record<string, string>>[] = [];
  /** Where the workers are, if the fault has a limit to their memory. */
  memory: MemoryCgroup | undefined;
  private loadClient: LoadClient | undefined;
  /** A proxy to each node, for each worker. */
  private readonly links: TcpProxy[][] = [];

  private constructor(
    readonly nodes: readonly BrokerNode[],
    private readonly brokerCluster: Cluster | undefined,
    private readonly maxInFlight: number,
    /** Decides what is chosen at random. */
    readonly seed: number,
  ) {}

  /** Starts all of it; resolves when the workers consume and the load knows what they answer. */
  static async open(plan: LabPlan, kind: BrokerKind, seed: number, signal?: AbortSignal): Promise<FaultLab> {
    const cluster = plan.nodes === 3 ? await Cluster.open(kind, plan.brokerOptions) : undefined;
    const nodes = cluster?.nodes ?? [await BrokerNode.open(kind, plan.brokerOptions)];
    const lab = new FaultLab(nodes, cluster, plan.maxInFlight ?? MAX_IN_FLIGHT, seed);
    try {
      await within(lab.fill(plan), START_PATIENCE_MS, 'workers and load start', signal);
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** The broker's only node, or the first one. */
  get broker(): BrokerNode {
    return this.nodes[0] as BrokerNode;
  }

  get cluster(): Cluster {
    if (!this.brokerCluster) throw new Error('this fault has one node only; give it `nodes: 3`');
    return this.brokerCluster;
  }

  /** Between the first worker and the broker. */
  get proxy(): TcpProxy {
    return this.linksOf(0)[0] as TcpProxy;
  }

  /** Between a worker and the broker's nodes. */
  linksOf(worker: number): readonly TcpProxy[] {
    const links = this.links[worker];
    if (!links) throw new Error('this fault has no proxy; give it `isProxied: true`');
    return links;
  }

  get load(): LoadClient {
    if (!this.loadClient) throw new Error('the load is not there yet');
    return this.loadClient;
  }

  /** Keeps the first worker running. */
  get supervisor(): Supervisor {
    return this.supervisors[0] as Supervisor;
  }

  /** The first worker, as it runs now. */
  get worker(): WorkerProcess {
    return this.supervisor.worker;
  }

  /** Most messages that one worker may have in hand, by what it says about itself. */
  private get prefetch(): number {
    const sizes = this.supervisors.flatMap(({ logs }) =>
      logs.map(({ msg }) => Number(/at most (\d+) messages in hand/.exec(msg)?.[1] ?? 0)),
    );
    return Math.max(...sizes);
  }

  /** Most requests that may be in hand at once, so that a break may have them answered twice. */
  get maxInHand(): number {
    return Math.min(this.prefetch * this.supervisors.length, this.maxInFlight);
  }

  /** Starts one more worker, that nobody watches over, with the settings of the first one or of another. */
  launch(index = 0): WorkerProcess {
    const worker = new WorkerProcess(this.envs[index] ?? {}, this.memory?.entry);
    this.launched.push(worker);
    return worker;
  }

  /** Declares the queues, as an operator would. */
  async declareQueues(): Promise<void> {
    const connection = await connect(this.broker.url);
    await ensureTopology(connection, readSettings({ REQUEST_QUEUE: this.queue }));
    await connection.close();
  }

  /** Notes what is broken unless that holds. */
  expect(holds: boolean, promise: string): void {
    if (!holds) this.broken.push(promise);
  }

  /** Messages that the workers have in hand, by what they said last. */
  get inHand(): number {
    return this.watches.reduce((sum, { inHand }) => sum + inHand, 0);
  }

  /** Resolves when that is so of what the probes say. @returns false when it takes longer */
  untilSeen(isSo: () => boolean, patienceMs: number): Promise<boolean> {
    const late = delay(patienceMs, false, { ref: false });
    return Promise.race([this.looks.until(isSo).then(() => true), late]);
  }

  /** Ends the workers in order, as a deployment would. @returns their exit codes */
  async stopWorkers(): Promise<(number | null)[]> {
    const exitCodes = await Promise.all(this.supervisors.map((supervisor) => supervisor.stop()));
    for (const watch of this.watches) await watch.stop();
    return exitCodes;
  }

  /** Ends all that is left. */
  async close(): Promise<void> {
    for (const watch of this.watches) await watch.stop();
    await Promise.all(this.supervisors.map((supervisor) => supervisor.stop('SIGKILL')));
    await Promise.all(this.launched.map((worker) => worker.stop('SIGKILL')));
    this.memory?.remove();
    await this.loadClient?.close();
    for (const link of this.links.flat()) await link.refuse();
    if (this.brokerCluster) await this.brokerCluster.remove();
    else await this.broker.remove();
  }

  private async fill(plan: LabPlan): Promise<void> {
    const urls = this.nodes.map(({ url }) => url);
    if (plan.memoryLimitMb) this.memory = MemoryCgroup.open(plan.memoryLimitMb * 1024 * 1024);
    await plan.prepare?.(this);
    for (let index = 0; index < (plan.workers ?? 1); index++) {
      if (plan.isProxied) this.links.push(await Promise.all(urls.map((url) => TcpProxy.open(url))));
      this.envs.push({
        RABBITMQ_URL: (this.links[index]?.map((link) => link.url()) ?? urls).join(','),
        REQUEST_QUEUE: this.queue,
        PREPROCESS_IO_DELAY_MS: String(IO_WAIT_MS),
        ...plan.env,
      });
      this.supervisors.push(new Supervisor(() => this.launch(index)));
    }
    await Promise.all(this.supervisors.map(({ worker }) => worker.consuming()));
    this.loadClient = new LoadClient({
      urls,
      queue: this.queue,
      deadLetterQueue: this.deadLetterQueue,
      properties: plan.requestProperties,
      testSet: readTestSet(),
      seed: this.seed,
      ratePerS: plan.ratePerS ?? RATE_PER_S,
      maxInFlight: this.maxInFlight,
    });
    await this.loadClient.open();
    for (const supervisor of this.supervisors) this.watches.push(new WorkerWatch(supervisor, this.looks));
  }
}
