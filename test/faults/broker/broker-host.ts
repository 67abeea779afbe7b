/** What a RabbitMQ node runs in. */
export interface BrokerHost {
  /** As RabbitMQ names it: `name@host`. */
  readonly nodeName: string;
  readonly url: string;
  /** Starts it, again on the same data and port; resolves with its version once it takes connections. */
  start(): Promise<string>;
  stop(): Promise<void>;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
  /** Stops its processes where they are; their sockets stay open. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** `rabbitmqctl`. */
  ctl(...args: string[]): Promise<string>;
  /** What it has logged so far. */
  log(): Promise<string>;
  /** Deletes its data; it is stopped. */
  remove(): Promise<void>;
}

/** Which kind of node: the machine's own `rabbitmq-server`, or the image of docker-compose.yml. */
export type BrokerKind = 'native' | 'docker';

/** What a node has beside its defaults. */
export interface BrokerOptions {
  /** Lines of `rabbitmq.conf`. */
  readonly config?: readonly string[];
  /** The content of `advanced.config`. */
  readonly advancedConfig?: string;
}

export const LAB_USER = 'onnxmq-lab';
/** Easy to find in a log, where it must not be. */
export const LAB_PASSWORD = 'correct-horse-battery-staple';
