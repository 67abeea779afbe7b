import { Injectable, Logger, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { Backoff } from '../rabbitmq/backoff.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { ErrorCode, InferenceError } from './inference.errors.js';
import { InferenceService } from './inference.service.js';
import { KillSwitch } from './kill-switch.js';

/** Over which failures are held against successes. */
const SPAN_MS = 10_000;
/** One may be luck. */
const SUCCESSES_TO_END = 3;
/**
 * For so long an outage is waited out: failed attempts do not count, and nothing more is taken where no model works. From then on
 * requests are taken and fail as any other: who waits for an answer gets it.
 */
const PATIENCE_MS = 60_000;

/** A model whose requests fail for reasons that are not theirs. */
interface Trouble {
  /** Empty for requests that failed before their model was known. */
  readonly model: string;
  readonly killSwitch: KillSwitch;
  /** The failure that was one too many; undefined while there is no outage. */
  error?: InferenceError;
  /** `performance.now()` */
  since: number;
}

/**
 * Times in which requests fail for reasons that are not theirs: a model, the disk, a service that preprocessing calls. An outage
 * is a model's own, and the others go on. Where no model works, consumption pauses instead of emptying the queue into the dead
 * letters, and one message at a time is tried until it works again.
 */
@Injectable()
export class Outage implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Outage');
  private readonly troubles = new Map<string, Trouble>();
  private span: NodeJS.Timeout | undefined;
  /** The outage of all models. */
  private total: Trouble | undefined;
  private hasFailed = false;
  private isStopping = false;

  constructor(
    private readonly settings: Settings,
    private readonly transport: RabbitMqTransport,
    private readonly inference: InferenceService,
  ) {}

  /** What messages fail with, while no model works. */
  get code(): ErrorCode | undefined {
    return this.total?.error?.code;
  }

  /** The models that do not work now. */
  get models(): string[] {
    return [...this.troubles.values()].filter(({ error }) => error).map(({ model }) => model);
  }

  onApplicationBootstrap(): void {
    const startSpans = () => {
      for (const model of ['', ...this.inference.names]) this.troubleOf(model).killSwitch.startSpan();
    };
    this.span = setInterval(startSpans, SPAN_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.span);
    this.isStopping = true;
  }

  /** True where a failed attempt of that model's requests is not to count: an outage has begun a short while ago. */
  isExcused(model = ''): boolean {
    const trouble = this.troubles.get(model)?.error ? this.troubles.get(model) : this.total;
    return trouble !== undefined && isYoung(trouble);
  }

  /** A message failed. */
  failed(error: InferenceError, model = ''): void {
    if (!error.retryable || error.isOwnFault || error.isAboutReply) return;
    this.hasFailed = true;
    const trouble = this.troubleOf(model);
    if (!trouble.killSwitch.failed() || trouble.error) return;
    trouble.error = error;
    trouble.since = performance.now();
    void this.waitOut(trouble);
  }

  private troubleOf(model: string): Trouble {
    let trouble = this.troubles.get(model);
    if (!trouble) {
      const killSwitch = new KillSwitch(this.settings.KILL_SWITCH_PERCENT, () => this.successesOf(model));
      this.troubles.set(model, (trouble = { model, killSwitch, since: 0 }));
    }
    return trouble;
  }

  private successesOf(model: string): number {
    return this.inference.succeeded(model === '' ? undefined : model);
  }

  private async waitOut(trouble: Trouble): Promise<void> {
    const { model, killSwitch, error } = trouble;
    const what = `${killSwitch.summary} for reasons that are not theirs, the last with ${error?.code}: ${error?.message}`;
    if (!this.total && (await this.isTotal(model))) {
      this.total = trouble;
      this.logger.error(
        `${what}; consumption pauses, and one message at a time is tried until it works again`,
      );
      await this.pause(trouble);
    } else {
      this.logger.error(`model '${model}': ${what}${this.total ? '' : '; requests to other models go on'}`);
      await this.watch(trouble);
      this.end(trouble);
    }
  }

  private end(trouble: Trouble): void {
    trouble.error = undefined;
    trouble.killSwitch.startSpan();
    if (this.total === trouble) this.total = undefined;
    if (!this.isStopping)
      this.logger.log(`${trouble.model === '' ? 'it' : `model '${trouble.model}'`} works again`);
  }

  /** True where no other model works either. */
  private async isTotal(model: string): Promise<boolean> {
    if (model === '') return true;
    const others = this.inference.names.filter((name) => name !== model && !this.troubles.get(name)?.error);
    const works = await Promise.all(others.map((name) => this.inference.works(name)));
    return !works.includes(true);
  }

  /** Resolves when it works again. */
  private async pause(trouble: Trouble): Promise<void> {
    const { pause } = this.transport;
    await pause.begin();
    const isOver = await this.probe(trouble);
    if (this.isStopping) return;
    if (isOver) {
      this.end(trouble);
      return pause.end();
    }
    this.logger.warn(
      `it has not worked for ${PATIENCE_MS / 1000} s: consumption goes on, so that requests get their error answers`,
    );
    await pause.end();
    await this.watch(trouble);
    this.end(trouble);
  }

  /** Tries one message at a time. @returns false when that has taken too long */
  private async probe(trouble: Trouble): Promise<boolean> {
    const backoff = new Backoff();
    for (let successes = 0; successes < SUCCESSES_TO_END;) {
      if (successes === 0) await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      if (this.isStopping || !isYoung(trouble)) return false;
      const before = this.successesOf('');
      this.hasFailed = false;
      const found = await this.transport.pause.takeOne();
      if (found === 'nothing' && successes > 0) break; // there is nothing left that could fail
      if (found === 'no broker' || this.hasFailed) successes = 0;
      else if (this.successesOf('') > before) successes++;
    }
    return true;
  }

  /** Resolves when the model works again, on requests or on what it is known to have taken. */
  private async watch({ model, error }: Trouble): Promise<void> {
    const backoff = new Backoff();
    const enough = this.successesOf(model) + SUCCESSES_TO_END;
    while (!this.isStopping && this.successesOf(model) < enough) {
      await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      if (error?.code === 'INFERENCE_FAILED' && (await this.inference.works(model))) return;
    }
  }
}

function isYoung({ since }: Trouble): boolean {
  return performance.now() - since < PATIENCE_MS;
}
