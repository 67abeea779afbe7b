import { beforeEach, describe, expect, it } from '@jest/globals';
import { deferred } from '../../test/support/deferred.js';
import { deliver } from '../../test/support/messages.js';
import { readSettings } from '../config/settings.js';
import { InferenceError } from '../inference/inference.errors.js';
import { Activity } from '../metrics/activity.js';
import { Answer } from './answer.frames.js';
import { ConfirmedOutcomes } from './confirmed-outcomes.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { Letter, Outgoing, Purpose } from './outgoing.js';
import { PublishAbandonedError, RefusedError, TooLargeError, UnroutableError } from './publish.errors.js';
import { ResultPublisher } from './result.publisher.js';

/** A broker that confirms at once, or answers as the test says. */
class RecordingPublisher {
  readonly published: Outgoing[] = [];
  answer: (message: Outgoing) => Promise<void> = () => Promise.resolve();
  private purpose: Purpose | undefined;

  publish(message: Outgoing, purpose: Purpose): Promise<void> {
    this.published.push(message);
    this.purpose = purpose;
    return this.answer(message);
  }

  get answers(): readonly Answer[] {
    return this.published.filter((message) => 'body' in message);
  }

  get letters(): readonly Letter[] {
    return this.published.filter((message) => 'content' in message);
  }

  /** Whether the last message would still be sent. */
  get isStillWanted(): boolean {
    return this.purpose?.isStale === false;
  }
}

const error = new InferenceError('SHAPE_MISMATCH', 'send 64 elements');
const body = '{}';

describe('ResultPublisher', () => {
  let publisher: RecordingPublisher;
  let activity: Activity;
  let outcomes: ConfirmedOutcomes;
  beforeEach(() => {
    publisher = new RecordingPublisher();
    activity = new Activity();
    outcomes = new ConfirmedOutcomes({ prefetch: 8, concurrency: 8, longestIoWaitMs: 0 });
  });

  const results = (env = {}) =>
    new ResultPublisher(readSettings(env), publisher as unknown as ConfirmedPublisher, activity, outcomes);

  describe('a result', () => {
    it('goes to reply_to, else to RESULTS_QUEUE, else nowhere', async () => {
      const both = results({ RESULTS_QUEUE: 'results' });
      await both.publish(deliver({}, { replyTo: 'answers' }).delivery, 'r', body);
      await both.publish(deliver({}).delivery, 'r', body);
      await results().publish(deliver({}).delivery, 'r', body);
      expect(publisher.published.map(({ queue }) => queue)).toEqual(['answers', 'results']);
      expect(activity.takeSummary().answered).toBe(3);
    });

    it('is mandatory, and carries what its requester needs to know it by', async () => {
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      const properties = { replyTo: 'a', correlationId: 'c', messageId: 'm', headers: { traceparent } };
      await results().publish(deliver({}, properties).delivery, 'r', body);
      expect(publisher.published).toEqual([
        {
          queue: 'a',
          body,
          type: 'inference.result',
          mandatory: true,
          correlationId: 'c',
          messageId: 'm.answer',
          traceparent,
        },
      ]);
    });

    it.each([['no trace'], [5], [{}], [undefined]])(
      'passes on no traceparent such as %j',
      async (traceparent) => {
        await results().publish(deliver({}, { replyTo: 'a', headers: { traceparent } }).delivery, 'r', body);
        expect(publisher.answers[0]?.traceparent).toBeUndefined();
      },
    );

    it('is not mandatory for a direct reply, which RabbitMQ 3 returns although it delivers it', async () => {
      await results().publish(deliver({}, { replyTo: 'amq.rabbitmq.reply-to.g1' }).delivery, 'r', body);
      expect(publisher.answers[0]?.mandatory).toBe(false);
    });

    it('counts as answered only once it is confirmed', async () => {
      const confirm = deferred();
      publisher.answer = () => confirm.promise;
      const published = results().publish(deliver({}, { replyTo: 'a' }).delivery, 'r', body);
      expect(activity.takeSummary().answered).toBe(0);
      confirm.resolve();
      await published;
      expect(activity.takeSummary().answered).toBe(1);
    });

    it('is no longer wanted once the broker has the request again', async () => {
      const { delivery, acks } = deliver({}, { replyTo: 'a' });
      await results().publish(delivery, 'r', body);
      expect(publisher.isStillWanted).toBe(true);
      acks.close();
      expect(publisher.isStillWanted).toBe(false);
    });

    it('fails with REPLY_UNROUTABLE where its queue does not exist', async () => {
      publisher.answer = ({ queue }) => Promise.reject(new UnroutableError(queue));
      const published = results().publish(deliver({}, { replyTo: 'gone' }).delivery, 'r', body);
      await expect(published).rejects.toMatchObject({ code: 'REPLY_UNROUTABLE' });
      expect(activity.takeSummary().answered).toBe(0);
    });

    it.each([
      ['its own', true],
      ['nobody’s', false],
    ])('fails with REPLY_REFUSED where its queue is full, by a fault that is %s', async (_, isOwnFault) => {
      publisher.answer = ({ queue }) => Promise.reject(new RefusedError(queue, isOwnFault));
      const published = results().publish(deliver({}, { replyTo: 'full' }).delivery, 'r', body);
      await expect(published).rejects.toMatchObject({ code: 'REPLY_REFUSED', isOwnFault });
      expect(activity.takeSummary().answered).toBe(0);
    });

    it('fails with TOO_LARGE where the broker takes no message of that size', async () => {
      publisher.answer = () => Promise.reject(new TooLargeError(20, 10));
      const published = results().publish(deliver({}, { replyTo: 'a' }).delivery, 'r', body);
      await expect(published).rejects.toMatchObject({ code: 'TOO_LARGE' });
    });

    it('goes out with the bytes of its tensors', async () => {
      const tensors = Buffer.from([1, 2, 3]);
      await results().publish(deliver({}, { replyTo: 'a' }).delivery, 'r', { json: body, tensors });
      expect(publisher.answers).toMatchObject([{ body, tensors }]);
    });

    it('cannot be written where what its request echoes cannot: then the request is at fault', async () => {
      publisher.answer = () => Promise.reject(new TypeError('too long'));
      const published = results().publish(deliver({}, { replyTo: 'a' }).delivery, 'r', body);
      await expect(published).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    });
  });

  describe('an error answer', () => {
    it('goes where the result would have gone, and names the request', async () => {
      const { delivery } = deliver({ id: 'r' }, { replyTo: 'a', correlationId: 'c' });
      await results().bury(delivery, { id: 'r' }, error, undefined);
      const [answer] = publisher.answers;
      expect(answer).toMatchObject({
        queue: 'a',
        type: 'inference.error',
        correlationId: 'c',
        messageId: 'c.r.answer',
      });
      expect(JSON.parse(String(answer?.body))).toEqual({
        id: 'r',
        error: 'send 64 elements',
        code: 'SHAPE_MISMATCH',
      });
    });

    it('comes in Nest’s envelope where the request did', async () => {
      const identity = { id: 'r', packet: { id: 'n' } };
      await results().bury(deliver({}, { replyTo: 'a' }).delivery, identity, error, undefined);
      expect(JSON.parse(String(publisher.answers[0]?.body))).toMatchObject({
        id: 'n',
        err: { id: 'r', code: 'SHAPE_MISMATCH' },
        isDisposed: true,
      });
    });

    it('that nobody waits for is no failure', async () => {
      publisher.answer = async ({ queue }) => {
        if (queue === 'gone') throw new UnroutableError(queue);
      };
      await results().bury(deliver({}, { replyTo: 'gone' }).delivery, {}, error, undefined);
      expect(publisher.answers).toHaveLength(1);
    });

    it.each(['REPLY_UNROUTABLE', 'REPLY_REFUSED'] as const)(
      'is not sent to a queue that took no result: %s',
      async (code) => {
        const noAnswer = new InferenceError(code, 'no queue');
        await results().bury(deliver({}, { replyTo: 'gone' }).delivery, {}, noAnswer, undefined);
        expect(publisher.answers).toEqual([]);
        expect(publisher.letters).toHaveLength(1);
      },
    );

    it('comes before the dead letter: who asked does not wait for the filing', async () => {
      await results().bury(deliver({}, { replyTo: 'a' }).delivery, {}, error, undefined);
      expect(publisher.published.map(({ queue }) => queue)).toEqual(['a', 'inference.dead']);
    });

    it('fails where it could not be sent for another reason', async () => {
      publisher.answer = () => Promise.reject(new PublishAbandonedError());
      const sent = results().bury(deliver({}, { replyTo: 'a' }).delivery, {}, error, undefined);
      await expect(sent).rejects.toBeInstanceOf(PublishAbandonedError);
    });
  });

  describe('a dead letter', () => {
    it('is the request itself, with the reason, persistent and mandatory', async () => {
      const { delivery } = deliver({ id: 'r' }, { messageId: 'm', headers: { own: 1 } });
      await results({ REQUEST_QUEUE: 'jobs' }).bury(delivery, {}, error, 'digits');
      const headers = { own: 1, 'x-error-code': 'SHAPE_MISMATCH', 'x-model': 'digits' };
      expect(publisher.published).toMatchObject([
        {
          queue: 'jobs.dead',
          content: delivery.message.content,
          options: { persistent: true, mandatory: true, messageId: 'm', headers },
        },
      ]);
      expect(activity.takeSummary().deadLettered).toBe(1);
    });

    it.each([
      ['for which there is no room beside the others', 'x'.repeat(70_000), '70009 bytes'],
      ['of a type that cannot be written again', { '!': 'odd' }, 'cannot be written'],
    ])('goes without a header %s, and says so', async (_, own, why) => {
      const received = { own, tenant: 7, 'inference-header-content-length': 77 };
      await results().bury(deliver({}, { headers: received }).delivery, {}, error, undefined);
      const { headers } = publisher.letters.at(-1)?.options ?? {};
      expect(publisher.published).toHaveLength(1);
      expect(headers).toMatchObject({
        tenant: 7,
        'inference-header-content-length': 77,
        'x-error-code': 'SHAPE_MISMATCH',
        'x-headers-left-out': `own (${why})`,
      });
      expect(headers).not.toHaveProperty('own');
      expect(activity.takeSummary().deadLettered).toBe(1);
    });

    it('fails, uncounted, where there is no dead-letter queue', async () => {
      publisher.answer = ({ queue }) => Promise.reject(new UnroutableError(queue));
      const sent = results().bury(deliver({}).delivery, {}, error, undefined);
      await expect(sent).rejects.toBeInstanceOf(UnroutableError);
      expect(activity.takeSummary().deadLettered).toBe(0);
    });
  });
});
