/** What is printed: the queues, all durable and neither exclusive nor auto-delete, and what the worker's user must be allowed. */
export interface Topology {
  readonly vhost: string;
  readonly queues: readonly {
    readonly name: string;
    readonly arguments: Readonly<Record<string, string | number>>;
  }[];
  readonly permissions: readonly Permission[];
}

/** The regular expressions of `rabbitmqctl set_permissions`. */
export interface Permission {
  /** What needs it. */
  readonly use: string;
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}
