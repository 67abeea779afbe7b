import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { Activity } from './activity.js';

const INTERVAL_MS = 1_000;

/** Logs one line a second while there is traffic. */
@Injectable()
export class ActivityReporter implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Traffic');
  private timer: NodeJS.Timeout | undefined;
  private lastReportAt = performance.now();

  constructor(
    private readonly activity: Activity,
    private readonly transport: RabbitMqTransport,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.report(), INTERVAL_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
    this.report();
  }

  private report(): void {
    const { answered, deadLettered, retried, batches, rows, checks, p50Ms, p99Ms } =
      this.activity.takeSummary();
    const { inHand } = this.transport;
    const now = performance.now();
    const seconds = (now - this.lastReportAt) / 1000;
    this.lastReportAt = now;
    if (answered + deadLettered + retried + inHand === 0) return;
    this.logger.log({
      message:
        `${Math.round(answered / seconds)} msg/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ` +
        `mean batch ${(rows / Math.max(batches, 1)).toFixed(1)}, in hand ${inHand}, retried ${retried}, dead-lettered ${deadLettered}`,
      answered,
      deadLettered,
      retried,
      inHand,
      p50Ms,
      p99Ms,
      batches,
      rows,
      checks,
    });
  }
}
