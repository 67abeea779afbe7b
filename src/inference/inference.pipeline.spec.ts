import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Deferred, deferred } from '../../test/support/deferred.js';
import { oneRow } from '../../test/support/rows.js';
import { ManualDelays } from '../../test/support/manual-delays.js';
import { deliver } from '../../test/support/messages.js';
import { readSettings } from '../config/settings.js';
import { Activity } from '../metrics/activity.js';
import { InferenceRequest } from '../protocol/inference-request.js';
import { Rows } from '../protocol/rows.js';
import { Answer } from '../rabbitmq/answer.frames.js';
import { ConfirmedOutcomes } from '../rabbitmq/confirmed-outcomes.js';
import { ConfirmedPublisher } from '../rabbitmq/confirmed.publisher.js';
import { Letter, Outgoing, Purpose } from '../rabbitmq/outgoing.js';
import { PublishAbandonedError, UnroutableError } from '../rabbitmq/publish.errors.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { ResultPublisher } from '../rabbitmq/result.publisher.js';
import { WaitingForRoom } from '../rabbitmq/waiting-for-room.js';
import { FailureHandler } from './failure.handler.js';
import { InferenceError } from './inference.errors.js';
import { InferencePipeline } from './inference.pipeline.js';
import { InferenceService } from './inference.service.js';
import { Outage } from './outage.js';

const delays = new ManualDelays();

type Publish<Message extends Outgoing = Outgoing> = Message & Deferred<void>;

const NO_MODELS = { names: [], succeeded: () => 0 } as unknown as InferenceService;

/** A broker that confirms a publish when the test says so. */
class ManualPublisher {
  readonly published: Publish[] = [];
  private taken = 0;
  private onPublish: (() => void) | undefined;

  publish(message: Outgoing, purpose: Purpose): Promise<void> {
    if (purpose.isStale) return Promise.reject(new PublishAbandonedError());
    const publish: Publish = { ...message, ...deferred() };
    this.published.push(publish);
    this.onPublish?.();
    return publish.promise;
  }

  /** The next publish, as soon as there is one; it must be an answer. */
  async nextAnswer(): Promise<Publish<Answer>> {
    const publish = await this.nextOfAny();
    if (!('body' in publish)) throw new Error(`a letter for '${publish.queue}' is no answer`);
    return publish;
  }

  /** The next publish, as soon as there is one; it must be anything else than an answer. */
  async nextLetter(): Promise<Publish<Letter>> {
    const publish = await this.nextOfAny();
    if ('body' in publish) throw new Error(`an answer for '${publish.queue}' is no letter`);
    return publish;
  }

  async nextOfAny(): Promise<Publish> {
    if (this.published.length === this.taken)
      await new Promise<void>((resolve) => (this.onPublish = resolve));
    return this.published[this.taken++] as Publish;
  }
}

/** A preprocessor that prepares a request when the test says so, or at once. */
class CountingPreprocessor {
  preparing = 0;
  mostAtOnce = 0;
  gate: Promise<void> = Promise.resolve();

  async prepare(_request: InferenceRequest): Promise<Rows> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.preparing);
    await this.gate.finally(() => this.preparing--);
    return oneRow(Float32Array.of(1));
  }
}

/** Answers each row with itself. */
class EchoInference {
  readonly served = {
    name: 'echo',
    version: '1',
    inputs: [],
    outputs: [{ name: 'y', datatype: 'FP32', shape: ['n', 1] }],
    hasOpenRows: true,
    mayBatch: true,
    preparing: 0,
    enterPreparation: () => void this.served.preparing++,
    leavePreparation: () => void this.served.preparing--,
  };
  failure: Error | undefined;

  model(name: string | undefined): typeof this.served {
    if (name === 'missing') throw new InferenceError('UNKNOWN_MODEL', 'there is no such model');
    return this.served;
  }

  infer(_model: unknown, rows: Rows): Promise<Rows> {
    return this.failure ? Promise.reject(this.failure) : Promise.resolve(rows);
  }
}

const request = { id: 'r', data: [1] };
const asking = { replyTo: 'answers', correlationId: 'c' };

describe('InferencePipeline', () => {
  let publisher: ManualPublisher;
  let preprocessor: CountingPreprocessor;
  let inference: EchoInference;
  let pipeline: InferencePipeline;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(() => {
    publisher = new ManualPublisher();
    preprocessor = new CountingPreprocessor();
    inference = new EchoInference();
    pipeline = open(8);
  });

  /** The deadlines that were not waited for. */
  afterEach(async () => {
    while (delays.running > 0) await delays.end();
  });

  function open(concurrency: number): InferencePipeline {
    const opened = pipelineWith();
    opened.open(concurrency);
    return opened;
  }

  function pipelineWith(env = {}): InferencePipeline {
    const settings = readSettings(env);
    const sending = [
      settings,
      publisher as unknown as ConfirmedPublisher,
      new Activity(),
      new ConfirmedOutcomes({ prefetch: 1000, concurrency: 1000, longestIoWaitMs: 0 }),
    ] as const;
    const results = new ResultPublisher(...sending);
    const outage = new Outage(settings, {} as RabbitMqTransport, NO_MODELS);
    return new InferencePipeline(
      settings,
      preprocessor,
      inference as unknown as InferenceService,
      results,
      new FailureHandler(settings, results, outage, new WaitingForRoom(...sending)),
    );
  }

  it('acks a message only after the broker has confirmed its result', async () => {
    const { delivery, acks, channel, settled } = deliver(request, asking);
    pipeline.accept(delivery);
    const result = await publisher.nextAnswer();
    expect(result).toMatchObject({ queue: 'answers', type: 'inference.result' });
    expect(JSON.parse(result.body)).toMatchObject({ id: 'r', outputs: [{ data: [1] }] });
    acks.flush();
    expect(channel.settlements).toEqual([]);
    result.resolve();
    await settled;
    acks.flush();
    expect(channel.settlements).toEqual(['ack 1']);
    expect(publisher.published).toHaveLength(1);
  });

  it('reads a compressed body', async () => {
    const body = gzipSync(JSON.stringify(request));
    pipeline.accept(deliver(body, { ...asking, contentEncoding: 'gzip' }).delivery);
    expect((await publisher.nextAnswer()).type).toBe('inference.result');
  });

  it.each([
    ['INVALID_JSON', Buffer.from('{'), {}],
    ['INVALID_REQUEST', {}, {}],
    ['UNSUPPORTED_ENCODING', request, { contentEncoding: 'br' }],
    ['UNSUPPORTED_ENCODING', request, { contentEncoding: 'gzip' }],
    [
      'UNKNOWN_MODEL',
      request,
      { type: 'missing', headers: { 'x-onnxmq-attempts': 4, 'x-onnxmq-attempts-unknown-model': 4 } },
    ],
  ])('sends an error, then a dead letter, then acks: %s', async (code, body, properties) => {
    const { delivery, acks, channel, settled } = deliver(body, { ...asking, ...properties });
    pipeline.accept(delivery);
    const answer = await publisher.nextAnswer();
    expect(answer).toMatchObject({ queue: 'answers', type: 'inference.error' });
    expect(JSON.parse(answer.body)).toMatchObject({ code });
    answer.resolve();
    const letter = await publisher.nextLetter();
    expect(letter).toMatchObject({
      queue: 'inference.dead',
      content: delivery.message.content,
      options: { headers: { 'x-error-code': code } },
    });
    acks.flush();
    expect(channel.settlements).toEqual([]);
    letter.resolve();
    await settled;
    acks.flush();
    expect(channel.settlements).toEqual(['ack 1']);
  });

  it('reads a body only once, which may be large, also of a request that fails', async () => {
    const { delivery } = deliver({ ...request, model: 'missing' });
    const { content } = delivery.message;
    let readings = 0;
    content.toString = (encoding) => {
      readings++;
      return Buffer.prototype.toString.call(content, encoding);
    };
    pipeline.accept(delivery);
    await publisher.nextLetter();
    expect(readings).toBe(1);
  });

  it('says PREPROCESS_FAILED to what a preprocessor throws, and leaves no request counted as preparing', async () => {
    preprocessor.gate = Promise.reject(new Error('no connection'));
    pipeline.accept(deliver(request).delivery);
    expect((await publisher.nextLetter()).options.headers).toMatchObject({
      'x-error-code': 'PREPROCESS_FAILED',
      'x-error-message': 'preprocessing failed: no connection',
      'x-model': 'echo',
    });
    expect(inference.served.preparing).toBe(0);
  });

  it('says so also to what a preprocessor throws before it gives a promise', async () => {
    preprocessor.prepare = () => {
      throw new TypeError('no image');
    };
    pipeline.accept(deliver(request).delivery);
    expect((await publisher.nextLetter()).options.headers).toMatchObject({
      'x-error-code': 'PREPROCESS_FAILED',
    });
    expect(inference.served.preparing).toBe(0);
  });

  it('keeps the code that a preprocessor decides on', async () => {
    preprocessor.gate = Promise.reject(new InferenceError('SHAPE_MISMATCH', 'too small'));
    pipeline.accept(deliver(request).delivery);
    expect((await publisher.nextLetter()).options.headers).toMatchObject({
      'x-error-code': 'SHAPE_MISMATCH',
    });
  });

  it.each([
    ['INFERENCE_FAILED', new InferenceError('INFERENCE_FAILED', 'reason')],
    ['INTERNAL', new TypeError('reason')],
  ])('says %s where inference fails so', async (code, failure) => {
    inference.failure = failure;
    pipeline.accept(deliver(request).delivery);
    expect((await publisher.nextLetter()).options.headers).toMatchObject({ 'x-error-code': code });
  });

  it('tries again later what may succeed then: the copy is confirmed, then the delivery is acked', async () => {
    preprocessor.gate = Promise.reject(new Error('no connection'));
    const { delivery, acks, channel, settled } = deliver(request, asking);
    pipeline.accept(delivery);
    const copy = await publisher.nextLetter();
    expect(copy).toMatchObject({
      queue: 'inference.retry.1000',
      content: delivery.message.content,
      options: { ...asking, headers: { 'x-attempts': 1, 'x-error-code': 'PREPROCESS_FAILED' } },
    });
    acks.flush();
    expect(channel.settlements).toEqual([]);
    copy.resolve();
    await settled;
    acks.flush();
    expect(channel.settlements).toEqual(['ack 1']);
    expect(publisher.published).toHaveLength(1);
  });

  it('has another worker try what asks for a model that is unknown here, still suspected of what it was', async () => {
    const suspicion = { crashes: 2, company: 1, isConclusive: false };
    pipeline.accept(deliver(request, { ...asking, type: 'missing' }, 1, { suspicion }).delivery);
    const headers = {
      'x-error-code': 'UNKNOWN_MODEL',
      'x-onnxmq-crashes': 2,
      'x-onnxmq-attempts-unknown-model': 1,
    };
    expect(await publisher.nextLetter()).toMatchObject({
      queue: 'inference.retry.1000',
      options: { headers },
    });
    expect(publisher.published).toHaveLength(1);
  });

  it('says no error before the last attempt, and then an error and a dead letter', async () => {
    preprocessor.gate = Promise.reject(new Error('no connection'));
    const { delivery, settled } = deliver(request, { ...asking, headers: { 'x-onnxmq-attempts': 3 } });
    pipeline.accept(delivery);
    const answer = await publisher.nextAnswer();
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'PREPROCESS_FAILED' });
    answer.resolve();
    const letter = await publisher.nextLetter();
    expect(letter).toMatchObject({ queue: 'inference.dead', options: { headers: { 'x-attempts': 4 } } });
    letter.resolve();
    await settled;
  });

  it('buries what it cannot put into a retry queue, as there is none', async () => {
    preprocessor.gate = Promise.reject(new Error('no connection'));
    pipeline.accept(deliver(request).delivery);
    (await publisher.nextLetter()).reject(new UnroutableError('inference.retry.1000'));
    expect((await publisher.nextLetter()).queue).toBe('inference.dead');
  });

  it('does not try again what would come back after its deadline', async () => {
    preprocessor.gate = Promise.reject(new Error('no connection'));
    pipeline.accept(deliver(request, { expiration: '900' }).delivery);
    expect((await publisher.nextLetter()).queue).toBe('inference.dead');
  });

  it('passes on a deadline as a moment, so that the time to it goes on while the request waits', async () => {
    await new Promise<void>((resolve) => setImmediate(resolve)); // receipt is the beginning of its turn
    preprocessor.gate = Promise.reject(new Error('no connection'));
    const before = Date.now();
    pipeline.accept(deliver(request, { expiration: '60000' }).delivery);
    const { headers, expiration } = (await publisher.nextLetter()).options;
    const after = Date.now();
    const { 'x-onnxmq-deadline': deadline } = headers as { 'x-onnxmq-deadline': number };
    expect(deadline).toBeGreaterThanOrEqual(before + 59_999);
    expect(deadline).toBeLessThanOrEqual(after + 60_001);
    expect(expiration).toBeUndefined();
  });

  it('drops any number of deliveries that became stale while they waited, and goes on', async () => {
    pipeline = open(1);
    const gate = deferred();
    preprocessor.gate = gate.promise;
    const first = deliver(request, asking);
    pipeline.accept(first.delivery);
    const stale = Array.from({ length: 20_000 }, () => deliver(request, asking));
    for (const { delivery } of stale) pipeline.accept(delivery);
    const last = deliver(request, asking);
    pipeline.accept(last.delivery);
    for (const { acks } of stale) acks.close();
    gate.resolve();
    (await publisher.nextAnswer()).resolve();
    (await publisher.nextAnswer()).resolve();
    await Promise.all([first, last, ...stale].map(({ settled }) => settled));
    expect(publisher.published).toHaveLength(2);
  });

  describe('a request that comes again because only its ack was lost', () => {
    /** What the broker does where a connection is lost: the first delivery is void, the message comes again. */
    const again = (body: object, properties: object) => deliver(body, properties, 2, { redelivered: true });

    it.each([
      ['it has its result', request, { messageId: 'm', ...asking }, 1],
      ['it has its error answer and its dead letter', {}, { messageId: 'm', ...asking }, 2],
      ['it has its dead letter', {}, { messageId: 'm' }, 1],
    ])('is acked and nothing else: %s', async (_, body, properties, publishes) => {
      const first = deliver(body, properties);
      pipeline.accept(first.delivery);
      for (let count = 0; count < publishes; count++) (await publisher.nextOfAny()).resolve();
      await first.settled;
      const second = again(body, properties);
      pipeline.accept(second.delivery);
      await second.settled;
      second.acks.flush();
      expect(second.channel.settlements).toEqual(['ack 2']);
      expect(publisher.published).toHaveLength(publishes);
    });

    it('is acked, not published, when its first answer is confirmed while it is on its way again', async () => {
      const properties = { messageId: 'm', ...asking };
      const first = deliver(request, properties);
      pipeline.accept(first.delivery);
      const answer = await publisher.nextAnswer();
      first.acks.close();
      const gate = deferred();
      preprocessor.gate = gate.promise;
      const second = again(request, properties);
      pipeline.accept(second.delivery);
      answer.resolve();
      await first.settled;
      gate.resolve();
      await second.settled;
      expect(publisher.published).toHaveLength(1);
    });

    it('is processed where its first attempt has no confirmed outcome', async () => {
      const properties = { messageId: 'm', ...asking };
      const first = deliver(request, properties);
      pipeline.accept(first.delivery);
      await publisher.nextAnswer();
      first.acks.close();
      pipeline.accept(again(request, properties).delivery);
      expect((await publisher.nextAnswer()).messageId).toBe('m.answer');
    });
  });

  it('publishes nothing, and settles nothing, for a delivery that the broker has again', async () => {
    for (const body of [request, {}]) {
      const { delivery, acks, channel, settled } = deliver(body, asking);
      acks.close();
      pipeline.accept(delivery);
      await settled;
      expect(channel.settlements).toEqual([]);
    }
    expect(publisher.published).toEqual([]);
    expect(preprocessor.mostAtOnce).toBe(0);
  });

  it('sends no dead letter when the broker takes the message back while its error is on the way', async () => {
    const { delivery, acks, channel, settled } = deliver({}, asking);
    pipeline.accept(delivery);
    const answer = await publisher.nextAnswer();
    acks.close();
    answer.resolve();
    await settled;
    expect(publisher.published).toHaveLength(1);
    expect(channel.settlements).toEqual([]);
  });

  it('hands a message back, slowly, when not even its dead letter finds a place', async () => {
    const { delivery, channel, settled } = deliver({});
    pipeline.accept(delivery);
    (await publisher.nextLetter()).reject(new Error('there is no dead-letter queue'));
    expect(await delays.end()).toBe(5000);
    await settled;
    expect(channel.settlements).toEqual(['nack 1']);
  });

  it('hands nothing back that the broker has again by then', async () => {
    const { delivery, acks, channel, settled } = deliver({});
    pipeline.accept(delivery);
    const letter = await publisher.nextLetter();
    acks.close();
    letter.reject(new PublishAbandonedError());
    await settled;
    expect(channel.settlements).toEqual([]);
    expect(delays.running).toBe(0);
  });

  it('goes on with the next message after any failure', async () => {
    pipeline = open(1);
    const first = deliver({});
    pipeline.accept(first.delivery);
    const second = deliver(request, asking);
    pipeline.accept(second.delivery);
    (await publisher.nextLetter()).reject(new Error('gone'));
    await delays.end();
    const result = await publisher.nextAnswer();
    result.resolve();
    await second.settled;
    expect(result.type).toBe('inference.result');
  });

  it('keeps its number of slots when every message fails, in whatever way', async () => {
    pipeline = open(4);
    publisher.publish = () => Promise.reject(new PublishAbandonedError());
    const bodies = [Buffer.from('{'), {}, { ...request, model: 'missing' }, Buffer.alloc(0)];
    const failing = Array.from({ length: 40 }, (_, index) => deliver(bodies[index % 4] as object));
    for (const { delivery } of failing) pipeline.accept(delivery);
    for (let handedBack = 0; handedBack < failing.length; handedBack++) await delays.end();
    await Promise.all(failing.map(({ settled }) => settled));

    const gate = deferred();
    preprocessor.gate = gate.promise;
    preprocessor.mostAtOnce = 0;
    const following = Array.from({ length: 9 }, () => deliver(request));
    for (const { delivery } of following) pipeline.accept(delivery);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(preprocessor.preparing).toBe(4);
    gate.resolve();
    await Promise.all(following.map(({ settled }) => settled));
    expect(preprocessor.mostAtOnce).toBe(4);
  });

  it('processes messages in the order in which they came, as far as slots are free', async () => {
    pipeline = open(1);
    const bodies = Array.from({ length: 20 }, (_, index) => ({ id: String(index), data: [index] }));
    for (const body of bodies) pipeline.accept(deliver(body, asking).delivery);
    for (const { id } of bodies) {
      const result = await publisher.nextAnswer();
      expect(JSON.parse(result.body)).toMatchObject({ id });
      result.resolve();
    }
  });

  describe('deadlines', () => {
    const passed = { ...asking, correlationId: 'late', expiration: '0' };

    async function expectDeadlineExceeded(where: string): Promise<void> {
      const answer = await publisher.nextAnswer();
      expect(answer.correlationId).toBe('late');
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
      expect(JSON.parse(answer.body)).toMatchObject({ error: expect.stringContaining(where) });
      answer.resolve();
      const letter = await publisher.nextLetter();
      expect(letter.options.headers).toMatchObject({ 'x-error-code': 'DEADLINE_EXCEEDED' });
      letter.resolve();
    }

    it.each([
      ['`expiration`', request, passed],
      [
        '`parameters.timeout`',
        { ...request, parameters: { timeout: 0.001 } },
        { ...passed, expiration: undefined },
      ],
    ])(
      'a message is answered at its %s while it waits for its turn, which then does nothing',
      async (_, body, properties) => {
        pipeline = open(1);
        const gate = deferred();
        preprocessor.gate = gate.promise;
        const ahead = deliver(request, asking);
        pipeline.accept(ahead.delivery);
        const waiting = deliver(body, properties);
        pipeline.accept(waiting.delivery);
        await delays.end();
        await expectDeadlineExceeded('while it waited for its turn');
        await waiting.settled;
        gate.resolve();
        (await publisher.nextAnswer()).resolve();
        await ahead.settled;
        expect(preprocessor.mostAtOnce).toBe(1);
        expect(publisher.published).toHaveLength(3);
      },
    );

    it('a message is answered at its deadline while it is in preprocessing, and takes up its slot until it leaves', async () => {
      pipeline = open(1);
      const gate = deferred();
      preprocessor.gate = gate.promise;
      const late = deliver(request, passed);
      pipeline.accept(late.delivery);
      const next = deliver(request, asking);
      pipeline.accept(next.delivery);
      await delays.end();
      await expectDeadlineExceeded('in preprocessing');
      await late.settled;
      expect(preprocessor.preparing).toBe(1);
      expect(inference.served.preparing).toBe(0); // no rows of it are to be waited for
      gate.resolve();
      const result = await publisher.nextAnswer();
      expect(result.type).toBe('inference.result');
      result.resolve();
      await next.settled;
      expect(preprocessor.mostAtOnce).toBe(1);
      expect(publisher.published).toHaveLength(3);
    });

    it('a result is published whose deadline passes after inference', async () => {
      pipeline.accept(deliver(request, { ...asking, expiration: '0' }).delivery);
      expect((await publisher.nextAnswer()).type).toBe('inference.result');
      await delays.end();
      expect(publisher.published).toHaveLength(1);
    });
  });

  it('does not begin what has crashed the worker too often: error, dead letter, ack', async () => {
    const suspicion = { crashes: 4, company: 1, isConclusive: true };
    const { delivery, acks, channel, settled } = deliver(request, asking, 1, { suspicion });
    pipeline.accept(delivery);
    const answer = await publisher.nextAnswer();
    expect(JSON.parse(answer.body)).toMatchObject({ id: 'r', code: 'CRASH_SUSPECT' });
    expect(answer.body).toMatch(/crashed 4 times with this request in hand/);
    answer.resolve();
    const letter = await publisher.nextLetter();
    expect(letter.options.headers).toMatchObject({ 'x-error-code': 'CRASH_SUSPECT' });
    letter.resolve();
    await settled;
    acks.flush();
    expect(channel.settlements).toEqual(['ack 1']);
    expect(preprocessor.mostAtOnce).toBe(0);
  });

  it('has a suspect alone in process', async () => {
    const gate = deferred();
    preprocessor.gate = gate.promise;
    const suspicion = { crashes: 2, company: 1, isConclusive: false };
    const all = [1, 2, 3].map((tag) => deliver(request, {}, tag, { suspicion }));
    for (const { delivery } of all) pipeline.accept(delivery);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(preprocessor.preparing).toBe(1);
    gate.resolve();
    await Promise.all(all.map(({ settled }) => settled));
    expect(preprocessor.mostAtOnce).toBe(1);
  });

  it('gives the slot of what was handed back meanwhile to others, and only that slot', async () => {
    pipeline = open(1);
    const stuck = deferred();
    preprocessor.gate = stuck.promise;
    const handedBack = deliver(request, asking);
    const waiting = deliver(request, asking, 2);
    pipeline.accept(handedBack.delivery);
    pipeline.accept(waiting.delivery);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(preprocessor.preparing).toBe(1);
    const next = deferred();
    preprocessor.gate = next.promise;
    handedBack.delivery.handBack();
    pipeline.abandon(handedBack.delivery);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(preprocessor.preparing).toBe(2);
    const others = [3, 4].map((tag) => deliver(request, asking, tag));
    for (const { delivery } of others) pipeline.accept(delivery);
    stuck.resolve();
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(preprocessor.preparing).toBe(1);
    expect(publisher.published).toEqual([]);
    next.resolve();
    for (let answered = 0; answered < 3; answered++) (await publisher.nextAnswer()).resolve();
    await Promise.all([waiting, ...others].map(({ settled }) => settled));
  });

  it('leaves the slots as they are when what is handed back was only waiting for one', async () => {
    pipeline = open(1);
    const gate = deferred();
    preprocessor.gate = gate.promise;
    const [first, waiting] = [deliver(request, asking), deliver(request, asking, 2)];
    for (const { delivery } of [first, waiting]) pipeline.accept(delivery);
    waiting.delivery.handBack();
    pipeline.abandon(waiting.delivery);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(preprocessor.preparing).toBe(1);
    gate.resolve();
    (await publisher.nextAnswer()).resolve();
    await first.settled;
    expect(publisher.published).toHaveLength(1);
  });

  it('keeps what comes before it is opened', async () => {
    pipeline = pipelineWith();
    preprocessor.gate = new Promise(() => {});
    for (let tag = 1; tag <= 5; tag++) pipeline.accept(deliver(request, {}, tag).delivery);
    pipeline.open(3);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(preprocessor.preparing).toBe(3);
  });

  it.each([1, 8, 64, 100, 128, 150])(
    'works on as many as %i messages at once, never on more, and on all of them in the end',
    async (concurrency) => {
      pipeline = open(concurrency);
      const gate = deferred();
      preprocessor.gate = gate.promise;
      const inHand = Array.from({ length: concurrency * 2 + 5 }, (_, tag) => deliver(request, {}, tag + 1));
      for (const { delivery } of inHand) pipeline.accept(delivery);
      await new Promise<void>((resolve) => setImmediate(resolve));
      expect(preprocessor.preparing).toBe(concurrency);
      gate.resolve();
      await Promise.all(inHand.map(({ settled }) => settled));
      expect(preprocessor.mostAtOnce).toBe(concurrency);
    },
  );
});
