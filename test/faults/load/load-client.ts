import type { ConsumeMessage, Options } from 'amqplib';
import { type TestSet } from '../../../src/cli/test-set.js';
import { Ledger } from './ledger.js';
import { LoadPublisher, LoadRequest, Pace } from './load-publisher.js';
import { QueueReader } from './queue-reader.js';
import { publishLarge } from './raw-publish.js';
import { seededRandom } from './random.js';

export interface LoadOptions extends Pace {
  /** The nodes of the broker. */
  readonly urls: readonly string[];
  /** The worker's request queue. */
  readonly queue: string;
  readonly deadLetterQueue: string;
  /** AMQP properties of each request. */
  readonly properties?: Options.Publish;
  readonly testSet: TestSet;
  /** Decides which images are sent. */
  readonly seed: number;
}

interface Answer {
  readonly id?: string;
  readonly code?: string;
  readonly parameters?: { readonly label?: readonly string[] };
}

/** Nest's, of an answer to one of its packets. */
interface Envelope {
  readonly response?: Answer;
  readonly err?: Answer;
}

/** What a dead letter is known by that came without ids. */
export const LAB_ID_HEADER = 'x-lab-id';

const LESSON = 'lesson.';
const BURST_PER_S = 5_000;

/** Asks a worker about random images, through faults, and keeps the ledger. Its connections are its own. */
export class LoadClient {
  readonly ledger = new Ledger();
  readonly resultQueue: string;
  private readonly publisher: LoadPublisher;
  readonly results: QueueReader;
  private readonly dead: QueueReader;
  private readonly random: (end: number) => number;
  /** What the worker says about each image. */
  private readonly labels: string[] = [];
  private published = 0;
  private publishing: Promise<void> = Promise.resolve();

  constructor(private readonly options: LoadOptions) {
    const { urls, queue, deadLetterQueue, seed } = options;
    this.random = seededRandom(seed);
    this.resultQueue = `${queue}.results`;
    this.publisher = new LoadPublisher(urls, queue, this.resultQueue, options, this.ledger);
    this.results = new QueueReader(urls, this.resultQueue, (message) => this.receive(message), {
      isDeclared: true,
    });
    this.dead = new QueueReader(urls, deadLetterQueue, (message) => this.bury(message));
  }

  /** Connects, and has the worker, which consumes by now, say once what each image is. */
  async open(): Promise<void> {
    await this.results.open();
    await this.dead.open();
    await this.publisher.open();
    const { images } = this.options.testSet;
    const lessons = images.map((_, image) => this.request(`${LESSON}${image}`, image));
    const teacher = new LoadPublisher(
      this.options.urls,
      this.options.queue,
      this.resultQueue,
      { ratePerS: BURST_PER_S, maxInFlight: images.length },
      new Ledger(),
    );
    await teacher.open();
    await teacher.publish(lessons);
    await this.ledger.changes.until(() => Object.keys(this.labels).length === images.length);
    await teacher.close();
  }

  /** The share of images that the worker is right about. */
  get accuracy(): number {
    const { labels } = this.options.testSet;
    return this.labels.filter((label, image) => label === String(labels[image])).length / labels.length;
  }

  /** Starts to publish requests about random images, until `settled` ends it. */
  start(): void {
    this.publishing = this.publisher.publish(this.randomRequests());
  }

  /** Publishes more requests, among the others. */
  async send(...requests: LoadRequest[]): Promise<void> {
    await this.publisher.publish(requests);
  }

  /** Publishes one with so large a header. Nothing else of its options is sent. */
  async sendLarge({ id, image, isGuilty, body }: LoadRequest, headerBytes: number): Promise<void> {
    const [url = ''] = this.options.urls;
    this.ledger.attempted(id, image, isGuilty);
    const { queue } = this.options;
    const headers = { 'x-padding': 'x'.repeat(headerBytes) };
    await publishLarge(url, { queue, replyTo: this.resultQueue, id, body, headers });
    this.ledger.acknowledged(id);
  }

  /** Publishes that many more, as fast as may be and beyond what else may be in flight. */
  async burst(count: number): Promise<void> {
    const { urls, queue } = this.options;
    const pace = { ratePerS: BURST_PER_S, maxInFlight: count };
    const publisher = new LoadPublisher(urls, queue, this.resultQueue, pace, this.ledger);
    await publisher.open();
    await publisher.publish(Array.from({ length: count }, () => this.nextRequest()));
    await publisher.close();
  }

  /** Publishes nothing until `resume`; resolves when each request so far has its outcome. */
  async pause(): Promise<void> {
    this.publisher.pause();
    await this.publisher.idle();
  }

  resume(): void {
    this.publisher.resume();
  }

  /** Resolves when that many requests have a result. */
  answered(count: number): Promise<void> {
    return this.ledger.changes.until(() => this.ledger.ok >= count);
  }

  /** The same, unless nothing moves for that long. */
  async answeredInTime(count: number, patienceMs: number): Promise<void> {
    await this.ledger.changes.untilQuiet(() => this.ledger.ok >= count, patienceMs);
  }

  /** Publishes nothing more; resolves when each request has its outcome, or when nothing moves for that long. */
  async settled(patienceMs: number): Promise<void> {
    this.publisher.end();
    let isPublished = false;
    void this.publishing.then(() => {
      isPublished = true;
      this.ledger.changes.poke();
    });
    await this.ledger.changes.untilQuiet(() => isPublished && this.ledger.isComplete, patienceMs);
  }

  /** Reads what is left to the end: answers, dead letters and requests that nobody took. */
  async drain(): Promise<{ readonly requestsLeft: number }> {
    const { urls, queue } = this.options;
    let requestsLeft = 0;
    const requests = new QueueReader(urls, queue, () => void requestsLeft++);
    await requests.open();
    await requests.untilEnd();
    await requests.close();
    await this.dead.untilEnd();
    await this.results.untilEnd();
    return { requestsLeft };
  }

  async close(): Promise<void> {
    await this.publisher.close();
    await this.results.close();
    await this.dead.close();
  }

  private *randomRequests(): Iterable<LoadRequest> {
    for (;;) yield this.nextRequest();
  }

  private nextRequest(): LoadRequest {
    return this.request(`m${this.published++}`, this.random(this.options.testSet.images.length));
  }

  private request(id: string, image: number): LoadRequest {
    const body = Buffer.from(JSON.stringify({ data: this.options.testSet.images[image] }));
    return { id, image, body, options: this.options.properties };
  }

  private receive({ content, properties }: ConsumeMessage): void {
    const body = JSON.parse(content.toString()) as Answer & Envelope;
    const { id: ownId, code, parameters } = body.response ?? body.err ?? body;
    const id = String(properties.correlationId ?? ownId);
    const label = parameters?.label?.[0];
    if (id.startsWith(LESSON)) {
      if (label !== undefined) this.labels[Number(id.slice(LESSON.length))] = label;
      this.ledger.changes.poke();
      return;
    }
    const image = this.ledger.imageOf(id);
    const isError = properties.type === 'inference.error';
    const isRight = isError || image === undefined || label === this.labels[image];
    this.ledger.answered({ id, messageId: String(properties.messageId), content, isError, code, isRight });
  }

  private bury({ properties }: ConsumeMessage): void {
    const { correlationId, messageId, headers } = properties;
    const id = String(correlationId ?? messageId ?? headers?.[LAB_ID_HEADER]);
    this.ledger.deadLettered(id, reasonIn(headers));
  }
}

/** The worker's word, or the broker's where it was the one to dead-letter. */
function reasonIn(headers: Readonly<Record<string, unknown>> = {}): string {
  const [death] = (headers['x-death'] ?? []) as { readonly reason?: string }[];
  const code = headers['x-error-code'] as string | undefined;
  return code ?? death?.reason ?? 'no reason given';
}
