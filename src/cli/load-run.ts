import { createHistogram } from 'node:perf_hooks';
import { connect, ConfirmChannel, ConsumeMessage, SocketOptions } from 'amqplib';
import { credentialsOf } from '../rabbitmq/broker-url.js';
import { TestSet } from './test-set.js';

export interface LoadOptions {
  readonly url: string;
  /** The worker's request queue. */
  readonly queue: string;
  readonly messages: number;
  /** Most messages sent and not yet answered. Default: no limit. */
  readonly inFlight?: number;
  /** Messages a second, at a constant rate; latency then counts from when each was to be sent. */
  readonly rate?: number;
  /** False: only send. */
  readonly wait: boolean;
  /** Give up when no answer comes for this long, in ms. */
  readonly patienceMs: number;
  readonly model?: string;
  readonly onProgress?: (done: number) => void;
}

/** What a load run saw. */
export interface LoadReport {
  readonly messages: number;
  /** Until the broker had confirmed the last one, in ms. */
  readonly sendMs: number;
  /** First answers; a second answer to the same message counts as a duplicate. */
  readonly answered: number;
  readonly duplicates: number;
  /** Answers with an error, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Answers with the image's own label. */
  readonly right: number;
  /** The answered label of each message, `undefined` where none came. */
  readonly labels: readonly (string | undefined)[];
  /** From the first send to the last answer, in ms. */
  readonly elapsedMs: number;
  /** From send to answer, in ms. */
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number };
}

interface Answer {
  readonly parameters?: { readonly label?: readonly string[] };
  readonly code?: string;
}

/**
 * Sends images through the queue as any client would, and checks the answers. Image `i` goes out with message
 * `i` modulo the size of the test set.
 *
 * @throws Error when the queue does not exist, the connection fails, or `signal` aborts
 */
export async function runLoad(
  options: LoadOptions,
  testSet: TestSet,
  signal?: AbortSignal,
): Promise<LoadReport> {
  const connection = await connect(options.url, {
    noDelay: true,
    timeout: 10_000,
    highWaterMark: 1 << 18,
    credentials: credentialsOf(options.url),
  } as SocketOptions);
  const broken = new Promise<never>((_, reject) => {
    connection.on('error', reject);
    connection.on('close', () => reject(new Error('the connection to the broker was closed')));
    signal?.addEventListener('abort', () => reject(new Error('interrupted')));
  });
  broken.catch(() => {});
  try {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {}); // the call below rejects with the same error
    await Promise.race([channel.checkQueue(options.queue), broken]).catch(
      (error: Error & { code?: number }) => {
        if (error.code !== 404) throw error;
        throw new Error(`there is no queue '${options.queue}' at the broker; is a worker running?`, {
          cause: error,
        });
      },
    );
    return await Promise.race([new LoadRun(channel, options, testSet).run(), broken]);
  } finally {
    await connection.close().catch(() => {});
  }
}

class LoadRun {
  private readonly sentAt: number[] = [];
  private readonly labels: (string | undefined)[];
  private readonly isAnswered: boolean[] = [];
  private readonly errors: Record<string, number> = {};
  private readonly latencyUs = createHistogram();
  private answered = 0;
  private duplicates = 0;
  private right = 0;
  private lastAnswerAt = 0;
  private onAnswer: () => void = () => {};

  constructor(
    private readonly channel: ConfirmChannel,
    private readonly options: LoadOptions,
    private readonly testSet: TestSet,
  ) {
    this.labels = Array.from({ length: options.messages });
  }

  async run(): Promise<LoadReport> {
    const { messages, wait } = this.options;
    const replyTo = wait ? await this.openReplyQueue() : undefined;
    const startedAt = performance.now();
    this.lastAnswerAt = startedAt;
    for (let index = 0; index < messages; index++) {
      if (!(await this.turnToSend(index, startedAt))) break;
      this.send(index, replyTo);
    }
    await this.channel.waitForConfirms();
    const sendMs = performance.now() - startedAt;
    if (wait) while (this.answered < messages && (await this.nextAnswer()));
    return {
      messages,
      sendMs,
      answered: this.answered,
      duplicates: this.duplicates,
      errors: this.errors,
      right: this.right,
      labels: this.labels,
      elapsedMs: this.lastAnswerAt - startedAt,
      latencyMs: { p50: this.percentile(50), p90: this.percentile(90), p99: this.percentile(99) },
    };
  }

  private async openReplyQueue(): Promise<string> {
    const { queue } = await this.channel.assertQueue('', { exclusive: true, durable: false });
    await this.channel.consume(queue, (message) => message && this.receive(message), { noAck: true });
    return queue;
  }

  /**
   * Waits for the message's moment (`rate`), for room (`inFlight`), or for the socket.
   *
   * @returns false when there is no room because answers stay away
   */
  private async turnToSend(index: number, startedAt: number): Promise<boolean> {
    const { rate, inFlight = Infinity } = this.options;
    let dueAt = performance.now();
    if (rate) {
      dueAt = startedAt + (index / rate) * 1000;
      const early = dueAt - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    }
    // Once full, waits until a tenth of the room is free: bursts cost broker and client less than single messages.
    if (index - this.answered >= inFlight)
      while (index - this.answered > inFlight * 0.9) if (!(await this.nextAnswer())) return false;
    // Answers are read between the writes.
    if (index % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
    this.sentAt[index] = rate ? dueAt : performance.now();
    return true;
  }

  private send(index: number, replyTo: string | undefined): void {
    const image = this.testSet.images[index % this.testSet.images.length];
    const { queue, model, wait, onProgress } = this.options;
    const id = String(index);
    this.channel.sendToQueue(queue, Buffer.from(JSON.stringify({ id, model, data: image })), {
      persistent: true,
      contentType: 'application/json',
      correlationId: id,
      messageId: `${replyTo ?? 'load'}.${id}`,
      replyTo,
    });
    if (!wait) onProgress?.(index + 1);
  }

  private receive({ content, properties }: ConsumeMessage): void {
    const now = performance.now();
    const index = Number(properties.correlationId);
    if (this.isAnswered[index]) {
      this.duplicates++;
      return;
    }
    this.isAnswered[index] = true;
    this.answered++;
    this.lastAnswerAt = now;
    this.latencyUs.record(Math.max(1, Math.round((now - (this.sentAt[index] ?? now)) * 1000)));
    const answer = JSON.parse(content.toString()) as Answer;
    if (answer.code) this.errors[answer.code] = (this.errors[answer.code] ?? 0) + 1;
    this.labels[index] = answer.parameters?.label?.[0];
    if (this.labels[index] === String(this.testSet.labels[index % this.testSet.labels.length])) this.right++;
    this.options.onProgress?.(this.answered);
    this.onAnswer();
  }

  /** @returns false when none comes for `patienceMs` */
  private nextAnswer(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), this.options.patienceMs);
      this.onAnswer = () => {
        clearTimeout(timer);
        this.onAnswer = () => {};
        resolve(true);
      };
    });
  }

  private percentile(percent: number): number {
    return this.answered === 0 ? NaN : this.latencyUs.percentile(percent) / 1000;
  }
}
