import { randomUUID } from 'node:crypto';
import { type LogLine, WorkerProcess } from '../../src/cli/worker-process.js';
import { BROKER_URL, BrokerClient } from './broker-client.js';

/** What a test starts and uses: workers, clients, queues of its own. `clear` ends all of it. */
export class Stage {
  readonly queue = `test.${randomUUID()}`;
  readonly deadLetters = `${this.queue}.dead`;
  private readonly queues = new Set([this.queue, this.deadLetters]);
  private workers: WorkerProcess[] = [];
  private clients: BrokerClient[] = [];
  private cleanUps: (() => Promise<unknown>)[] = [];

  retryQueue(delayMs: number | string): string {
    return `${this.queue}.retry.${delayMs}`;
  }

  /** Starts a worker on this stage's queue, which tries nothing again unless told to; it may not be ready yet. */
  launch(env: Readonly<Record<string, string>> = {}): WorkerProcess {
    const worker = new WorkerProcess({
      RABBITMQ_URL: BROKER_URL,
      REQUEST_QUEUE: this.queue,
      PREPROCESS_IO_DELAY_MS: '1',
      RETRY_DELAYS_MS: 'none',
      ...env,
    });
    for (const delayMs of env['RETRY_DELAYS_MS']?.split(',') ?? []) this.queueName(this.retryQueue(delayMs));
    this.workers.push(worker);
    return worker;
  }

  /** Starts a worker and waits until it consumes. */
  async worker(env: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    const worker = this.launch(env);
    await worker.consuming();
    return worker;
  }

  async client(): Promise<BrokerClient> {
    const client = await BrokerClient.open();
    this.clients.push(client);
    return client;
  }

  /** The name of one more queue, which `clear` deletes. */
  queueName(name = `test.${randomUUID()}`): string {
    this.queues.add(name);
    return name;
  }

  /** Has something done by `clear`. */
  atEnd(cleanUp: () => Promise<unknown>): void {
    this.cleanUps.push(cleanUp);
  }

  /** Ends all that was started, also after a test that failed half-way. */
  async clear(): Promise<void> {
    const { workers, clients, cleanUps } = this;
    [this.workers, this.clients, this.cleanUps] = [[], [], []];
    await Promise.all(workers.map((worker) => worker.stop('SIGKILL')));
    const outcomes = await Promise.allSettled(cleanUps.map((cleanUp) => cleanUp()));
    for (const client of clients) await client.close().catch(() => {}); // the broker may have closed it
    const client = await BrokerClient.open();
    await client.close(...this.queues);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/** Matches the `count`th of the log lines that match. */
export function nth(count: number, matches: (line: LogLine) => boolean): (line: LogLine) => boolean {
  let seen = 0;
  return (line) => matches(line) && ++seen === count;
}
