import type { Options } from 'amqplib';
import { BrokerOptions } from './broker/broker-host.js';
import { type FaultLab } from './fault-lab.js';

/** What a lab is made of. */
export interface LabPlan {
  /** Makes the broker ready, before there are workers and load. */
  prepare?(lab: FaultLab): Promise<unknown>;
  /** Each worker reaches the broker by way of proxies of its own, `lab.linksOf`. */
  readonly isProxied?: boolean;
  /** Nodes of the broker, 1 or 3. Default: 1. */
  readonly nodes?: 1 | 3;
  readonly brokerOptions?: BrokerOptions;
  readonly workers?: number;
  /** Settings of the worker. */
  readonly env?: Readonly<Record<string, string>>;
  readonly ratePerS?: number;
  readonly maxInFlight?: number;
  /** Most memory that all workers together are let have, by the kernel. */
  readonly memoryLimitMb?: number;
  /** AMQP properties of each request. */
  readonly requestProperties?: Options.Publish;
}

/** A fault and what it may do. */
export interface FaultPlan extends LabPlan {
  /** Its number in the fault suite. */
  readonly number: number;
  /** Reads on from `when`. */
  readonly name: string;
  /** Brings it about. Called under load; may wait for what comes of it. */
  inject(lab: FaultLab): Promise<unknown> | void;
  /** Ends it. */
  heal?(lab: FaultLab): Promise<unknown> | void;
  /** Looks at the end, after all was read and the worker has stopped; see `lab.expect`. */
  check?(lab: FaultLab): Promise<unknown> | void;
  /** How often `inject` breaks connections or ends workers: each time, what is in hand may be answered twice. Default: 1. */
  readonly breaks?: number;
  /** The worker's process ends by it. Default: it must not. */
  readonly endsWorker?: boolean;
  /** `drops`: it must be seen as not ready; `stays`: it must not. Default: either. */
  readonly readiness?: 'drops' | 'stays';
  /** The event loop is held up by it, so that the liveness probe may fail. Default: it must not. */
  readonly stallsWorker?: boolean;
  /** Most memory that the worker may take. Default: 512. */
  readonly maxRssMb?: number;
  /** Messages fail by it, so that the worker may pause. Default: it must not. */
  readonly failsRuns?: boolean;
  /** Why the broker closes a channel of the worker's by it. Default: it must close none. */
  readonly channelError?: 'not_found' | 'precondition_failed';
  /** Messages that the workers have in hand at least when it strikes. Default: 300. */
  readonly inHand?: number;
  /** Requests answered at least, of them a quarter before the fault and a quarter after it. Default: 6,000. */
  readonly messages?: number;
}
