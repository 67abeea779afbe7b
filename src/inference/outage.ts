import { Injectable, Logger, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { Backoff } from '../rabbitmq/backoff.js';
import { Activity } from '../metrics/activity.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { ErrorCode, InferenceError } from './inference.errors.js';
import { KillSwitch } from './kill-switch.js';

/** Over which failures are held against successes. */
const SPAN_MS = 10_000;
/** One may be luck. */
const SUCCESSES_TO_END = 3;

/**
 * A time in which messages fail for reasons that are not theirs: the model, the disk, a service that preprocessing
 * calls. Consumption pauses then, instead of emptying the queue into the dead letters, and one message at a time is
 * tried until it works again. Attempts that fail meanwhile are excused.
 */
@Injectable()
export class Outage implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Outage');
  private readonly killSwitch: KillSwitch;
  private span: NodeJS.Timeout | undefined;
  private error: InferenceError | undefined;
  private hasFailed = false;
  /** Results that found no way to who asked: messages can be processed nevertheless. */
  private unanswerable = 0;
  private isStopping = false;

  constructor(
    settings: Settings,
    private readonly transport: RabbitMqTransport,
    private readonly activity: Activity,
  ) {
    this.killSwitch = new KillSwitch(settings.KILL_SWITCH_PERCENT, () => this.successes);
  }

  /** What messages fail with, while there is an outage. */
  get code(): ErrorCode | undefined {
    return this.error?.code;
  }

  onApplicationBootstrap(): void {
    this.span = setInterval(() => this.killSwitch.startSpan(), SPAN_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.span);
    this.isStopping = true;
  }

  /** A message failed. */
  failed(error: InferenceError): void {
    if (error.isAboutReply) this.unanswerable++;
    if (!error.retryable || error.isOwnFault || error.isAboutReply) return;
    this.hasFailed = true;
    if (!this.killSwitch.failed() || this.error) return;
    this.error = error;
    this.logger.error(
      `${this.killSwitch.summary} for reasons that are not theirs, the last with ${error.code}: ${error.message}; ` +
        'consumption pauses, and one message at a time is tried until it works again',
    );
    void this.probe();
  }

  private get successes(): number {
    return this.activity.answeredInTotal + this.unanswerable;
  }

  private async probe(): Promise<void> {
    const backoff = new Backoff();
    await this.transport.pause.begin();
    for (let successes = 0; successes < SUCCESSES_TO_END;) {
      if (successes === 0) await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      if (this.isStopping) return;
      const { successes: before } = this;
      this.hasFailed = false;
      const found = await this.transport.pause.takeOne();
      if (found === 'nothing' && successes > 0) break; // there is nothing left that could fail
      if (found === 'no broker' || this.hasFailed) successes = 0;
      else if (this.successes > before) successes++;
    }
    this.error = undefined;
    this.killSwitch.startSpan();
    this.logger.log('it works again: consumption goes on');
    await this.transport.pause.end();
  }
}
