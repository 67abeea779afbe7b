import { readTestSet } from '../../src/cli/test-set.js';
import { WorkerProcess } from '../../src/cli/worker-process.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { BrokerKind } from './broker/broker-host.js';
import { BrokerNode } from './broker/broker-node.js';
import { Cluster } from './broker/cluster.js';
import { FaultPlan } from './fault-plan.js';
import { LoadClient } from './load/load-client.js';
import { MemoryCgroup } from './memory-cgroup.js';
import { Supervisor } from './supervisor.js';
import { WorkerWatch } from './worker-watch.js';

const RATE_PER_S = 500;
const MAX_IN_FLIGHT = 400;

/** A broker, its workers and their load: all that a fault can be made of. */
export class FaultLab {
  readonly queue = 'faults';
  readonly deadLetterQueue = `${this.queue}.dead`;
  readonly supervisors: Supervisor[] = [];
  readonly watches: WorkerWatch[] = [];
  /** What was found to be otherwise than promised. */
  readonly broken: string[] = [];
  /** Measured by the fault itself, by name and unit. */
  readonly figures: Record<string, number> = {};
  /** Where the workers are, if the fault has a limit to their memory. */
  memory: MemoryCgroup | undefined;
  private loadClient: LoadClient | undefined;
  private tcpProxy: TcpProxy | undefined;

  private constructor(
    readonly nodes: readonly BrokerNode[],
    private readonly brokerCluster: Cluster | undefined,
    private readonly maxInFlight: number,
    /** Decides what is chosen at random. */
    readonly seed: number,
  ) {}

  /** Starts all of it; resolves when the workers consume and the load knows what they answer. */
  static async open(plan: FaultPlan, kind: BrokerKind, seed: number): Promise<FaultLab> {
    const cluster = plan.nodes === 3 ? await Cluster.open(kind, plan.brokerOptions) : undefined;
    const nodes = cluster?.nodes ?? [await BrokerNode.open(kind, plan.brokerOptions)];
    const lab = new FaultLab(nodes, cluster, plan.maxInFlight ?? MAX_IN_FLIGHT, seed);
    try {
      await lab.fill(plan);
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

  /** Between worker and broker. */
  get proxy(): TcpProxy {
    if (!this.tcpProxy) throw new Error('this fault has no proxy; give it `isProxied: true`');
    return this.tcpProxy;
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

  /** Notes what is broken unless that holds. */
  expect(holds: boolean, promise: string): void {
    if (!holds) this.broken.push(promise);
  }

  /** Ends the workers in order, as a deployment would. @returns their exit codes */
  async stopWorkers(): Promise<(number | null)[]> {
    for (const watch of this.watches) await watch.stop();
    return Promise.all(this.supervisors.map((supervisor) => supervisor.stop()));
  }

  /** Ends all that is left. */
  async close(): Promise<void> {
    for (const watch of this.watches) await watch.stop();
    await Promise.all(this.supervisors.map((supervisor) => supervisor.stop('SIGKILL')));
    this.memory?.remove();
    await this.loadClient?.close();
    await this.tcpProxy?.refuse();
    if (this.brokerCluster) await this.brokerCluster.remove();
    else await this.broker.remove();
  }

  private async fill(plan: FaultPlan): Promise<void> {
    const urls = this.nodes.map(({ url }) => url);
    if (plan.memoryLimitMb) this.memory = MemoryCgroup.open(plan.memoryLimitMb * 1024 * 1024);
    if (plan.isProxied) this.tcpProxy = await TcpProxy.open(this.broker.url);
    const env = {
      RABBITMQ_URL: this.tcpProxy?.url() ?? urls.join(','),
      REQUEST_QUEUE: this.queue,
      PREPROCESS_IO_DELAY_MS: '50',
      ...plan.env,
    };
    for (let index = 0; index < (plan.workers ?? 1); index++)
      this.supervisors.push(new Supervisor(env, this.memory?.entry));
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
    for (const supervisor of this.supervisors) this.watches.push(new WorkerWatch(supervisor));
  }
}
