import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakePublisher } from '../../test/support/fake-channels.js';
import { ManualDelays } from '../../test/support/manual-delays.js';
import { deliver } from '../../test/support/messages.js';
import { quiet } from '../../test/support/memory-broker.js';
import { readSettings } from '../config/settings.js';
import { Activity } from '../metrics/activity.js';
import { ConfirmedOutcomes } from './confirmed-outcomes.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { RefusedError } from './publish.errors.js';
import { WaitingForRoom } from './waiting-for-room.js';

const reason = { 'x-error-code': 'INVALID_JSON', 'x-attempts': 1 };
const filed = { ...reason, 'x-put-aside': 'dead-letter' };

describe('WaitingForRoom', () => {
  const delays = new ManualDelays();
  let publisher: FakePublisher;
  let activity: Activity;

  beforeEach(() => {
    publisher = new FakePublisher();
    activity = new Activity();
  });

  function room(env: Readonly<Record<string, string>> = {}): WaitingForRoom {
    const outcomes = new ConfirmedOutcomes({ prefetch: 8, concurrency: 8, longestIoWaitMs: 0 });
    const settings = readSettings({ REQUEST_QUEUE: 'q', ...env });
    return new WaitingForRoom(settings, publisher as unknown as ConfirmedPublisher, activity, outcomes);
  }

  const last = () => publisher.letters.at(-1);

  /** Has the queues refuse a letter until one takes it. @returns the queues that were asked */
  async function refuseAllBut(taker: string): Promise<string[]> {
    for (let asked = publisher.letters.length - 1; ; asked++) {
      await quiet();
      const letter = publisher.letters[asked];
      if (letter?.queue === taker) letter.confirm();
      else letter?.refuse(new RefusedError(letter.queue, false));
      await quiet();
      if (!letter || letter.queue === taker) return publisher.letters.map(({ queue }) => queue);
    }
  }

  it('puts what cannot be filed into the longest retry queue of at most a minute, and acks it then', async () => {
    const { delivery, channel } = deliver({}, { messageId: 'm', headers: { own: 1 } });
    room({ RETRY_DELAYS_MS: '1000,30000,5000,3600000' }).file(delivery, reason);
    await quiet();
    expect(last()).toMatchObject({ queue: 'q.retry.30000', options: { messageId: 'm' } });
    expect(last()?.options.headers).toEqual({ own: 1, ...filed });
    expect(channel.settlements).toEqual([]);
    last()?.confirm();
    await quiet();
    expect(channel.settlements).toEqual(['ack 1']);
    expect(activity.takeSummary().deadLettered).toBe(0); // it is not yet
  });

  it.each([
    [
      'goes by one queue after the other, and ends at the request queue',
      {},
      ['q.retry.30000', 'q.retry.5000', 'q.retry.1000', 'q'],
    ],
    ['of classic queues goes to the request queue only', { QUEUE_TYPE: 'classic' }, ['q']],
    ['without retry queues goes to the request queue', { RETRY_DELAYS_MS: 'none' }, ['q']],
  ])('%s', async (_, env, queues) => {
    const { delivery, channel } = deliver({});
    room(env).file(delivery, reason);
    expect(await refuseAllBut('q')).toEqual(queues);
    await quiet();
    expect(channel.settlements).toEqual(['ack 1']);
  });

  it('keeps in hand what no queue takes, and asks all again after a while', async () => {
    const { delivery, channel } = deliver({});
    room({ RETRY_DELAYS_MS: 'none' }).file(delivery, reason);
    await refuseAllBut('nobody');
    expect(channel.settlements).toEqual([]);
    await delays.end();
    await quiet();
    expect(last()).toMatchObject({ queue: 'q.dead' });
    expect(last()?.options.headers).toEqual(reason);
    last()?.confirm();
    await quiet();
    expect(channel.settlements).toEqual(['ack 1']);
    expect(activity.takeSummary().deadLettered).toBe(1);
  });

  it('gives up what is the broker’s again', async () => {
    const { delivery, acks, settled } = deliver({});
    room({ RETRY_DELAYS_MS: 'none' }).file(delivery, reason);
    await refuseAllBut('nobody');
    acks.close();
    await delays.end();
    await settled;
    expect(publisher.letters).toHaveLength(1);
  });

  describe('of a copy that comes back', () => {
    it('files one that waits for that, as it was, with its reason and without the mark', async () => {
      const headers = { own: 1, ...filed, 'x-death': [{ queue: 'q.retry.1000' }] };
      const { delivery, channel } = deliver({}, { messageId: 'm', headers });
      expect(room().resume(delivery)).toBe(true);
      await quiet();
      expect(last()).toMatchObject({ queue: 'q.dead', options: { messageId: 'm' } });
      expect(last()?.options.headers).toEqual({ own: 1, ...reason });
      last()?.confirm();
      await quiet();
      expect(channel.settlements).toEqual(['ack 1']);
    });

    it('puts it aside once more where there is still no room', async () => {
      const { delivery, channel } = deliver({}, { headers: filed });
      room().resume(delivery);
      expect(await refuseAllBut('q.retry.30000')).toEqual(['q.dead', 'q.retry.30000']);
      expect(last()?.options.headers).toEqual(filed);
      expect(channel.settlements).toEqual(['ack 1']);
    });

    it('has those that come back at once wait for their turn, longer the more they are', async () => {
      const waiting = room({ RETRY_DELAYS_MS: 'none' });
      for (let tag = 1; tag <= 400; tag++) waiting.resume(deliver({}, { headers: filed }, tag).delivery);
      await quiet();
      for (const letter of publisher.letters) letter.refuse(new RefusedError('q.dead', false));
      await quiet();
      expect(publisher.letters.some(({ queue }) => queue === 'q')).toBe(false);
      const turns: number[] = [];
      while (delays.running > 0) turns.push(await delays.end());
      await quiet();
      expect(publisher.letters.filter(({ queue }) => queue === 'q')).toHaveLength(400);
      expect(Math.max(...turns)).toBeGreaterThan(1_000);
    });

    it('has one that waits for its next attempt wait on until then, and no longer', async () => {
      const headers = { 'x-put-aside': Date.now() + 4_000, 'x-attempts': 2 };
      const { delivery } = deliver({}, { headers });
      expect(room().resume(delivery)).toBe(true);
      await quiet();
      expect(last()).toMatchObject({ queue: 'q.retry.5000', options: { headers } });
      const due = deliver({}, { headers: { ...headers, 'x-put-aside': Date.now() } });
      expect(room().resume(due.delivery)).toBe(false);
    });

    it.each([
      [{ 'x-put-aside': 'dead-letter' }],
      [{ 'x-put-aside': 'tomorrow' }],
      [{ 'x-put-aside': Date.now() + 1e9 }],
      [{ 'x-put-aside': NaN }],
      [undefined],
    ])('takes none with headers that a worker would not write: %j', (headers) => {
      expect(room().resume(deliver({}, { headers }).delivery)).toBe(false);
    });
  });
});
