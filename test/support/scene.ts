import { randomUUID } from 'node:crypto';
import { afterEach } from '@jest/globals';
import { WorkerProcess } from '../../src/cli/worker-process.js';
import { BROKER_URL, BrokerClient } from './broker-client.js';

/**
 * Workers, clients and queues of one test, undone after it, whatever became of it. Each scene has a request
 * queue of its own.
 */
export class Scene {
  readonly queue = `test.${randomUUID()}`;
  private readonly workers: WorkerProcess[] = [];
  private readonly clients: BrokerClient[] = [];
  private readonly queues: string[] = [];

  get deadLetterQueue(): string {
    return `${this.queue}.dead`;
  }

  /** Starts a worker; it may not be consuming yet. */
  worker(settings: Readonly<Record<string, string>> = {}): WorkerProcess {
    const worker = new WorkerProcess({ RABBITMQ_URL: BROKER_URL, REQUEST_QUEUE: this.queue, ...settings });
    this.workers.push(worker);
    return worker;
  }

  async consumingWorker(settings: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    const worker = this.worker(settings);
    await worker.consuming();
    return worker;
  }

  async client(): Promise<BrokerClient> {
    const client = await BrokerClient.open();
    this.clients.push(client);
    return client;
  }

  /** A queue to be deleted in the end. */
  willDelete(queue: string): string {
    this.queues.push(queue);
    return queue;
  }

  async end(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop('SIGKILL')));
    for (const client of this.clients) await client.close();
    const cleaner = await BrokerClient.open();
    await cleaner.close(this.queue, this.deadLetterQueue, ...this.queues);
  }
}

/** A new scene for each test of the enclosing `describe`. */
export function useScene(): () => Scene {
  let scene: Scene | undefined;
  afterEach(async () => {
    await scene?.end();
    scene = undefined;
  });
  return () => (scene ??= new Scene());
}
