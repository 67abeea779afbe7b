import {
  BeforeApplicationShutdown,
  Injectable,
  Logger,
  OnApplicationShutdown,
  OnModuleDestroy,
} from '@nestjs/common';
import { Settings } from './config/settings.js';
import { InferenceService } from './inference/inference.service.js';
import { inTime } from './rabbitmq/broker.connection.js';
import { ConfirmedPublisher } from './rabbitmq/confirmed.publisher.js';
import { RabbitMqTransport } from './rabbitmq/rabbitmq.transport.js';

/** What a broker that no longer answers may cost beyond the drain. */
const CLOSE_TIMEOUT_MS = 5_000;

/** The four steps of the end, on Nest's four shutdown phases. Nest itself closes HTTP and the transport in between. */
@Injectable()
export class Shutdown implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger('Shutdown');
  /** On the clock of `performance.now()`. */
  private drainUntil = 0;
  private end: NodeJS.Timeout | undefined;

  constructor(
    private readonly settings: Settings,
    private readonly transport: RabbitMqTransport,
    private readonly publisher: ConfirmedPublisher,
    private readonly inference: InferenceService,
  ) {
    inference.onThreadDied = (error) => this.crash(error);
  }

  async onModuleDestroy(): Promise<void> {
    this.limit();
    this.drainUntil = performance.now() + this.settings.DRAIN_TIMEOUT_MS;
    this.logger.log(`draining: ${this.transport.inHand} messages in hand`);
    this.publisher.hurry();
    // A broker that hangs never says that it has cancelled the consumer.
    await inTime(this.transport.stopConsuming(), this.settings.DRAIN_TIMEOUT_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.transport.drain(Math.max(0, this.drainUntil - performance.now()));
    await this.publisher.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.inference.release();
    clearTimeout(this.end);
    this.logger.log('drained and closed');
  }

  /** What is not settled by then, the broker has: ending hard loses nothing. */
  private limit(): void {
    const limitMs = this.settings.DRAIN_TIMEOUT_MS + CLOSE_TIMEOUT_MS;
    this.end = setTimeout(() => {
      this.logger.error(`not closed after ${limitMs} ms: ending now; the broker has what was in hand`);
      endAtOnce();
    }, limitMs).unref();
  }

  /** Without its thread the worker answers nothing. The broker has what was in hand, and gives it to another. */
  private crash(error: Error): void {
    this.logger.error(error.message);
    endAtOnce();
  }
}

/** `process.exit` would wait for threads, and a thread for the end of its run, which may never come. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
  process.abort(); // process 1 of a container is still there: the kernel drops what it sends itself
}
