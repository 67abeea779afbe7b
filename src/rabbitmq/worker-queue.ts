import type { Options } from 'amqplib';

/** A queue that the worker needs, and how it declares it. */
export interface WorkerQueue {
  readonly name: string;
  readonly options: Options.AssertQueue;
}

/** Of a retry queue, how many ms a message waits there; else undefined. */
export function delayOf({ options }: WorkerQueue): number | undefined {
  return (options.arguments as { 'x-message-ttl'?: number } | undefined)?.['x-message-ttl'];
}
