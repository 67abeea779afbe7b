import { describe, expect, it } from '@jest/globals';
import { deliver } from '../../test/support/messages.js';
import { readSettings } from '../config/settings.js';
import { PublishAbandonedError } from '../rabbitmq/publish.errors.js';
import { ResultPublisher } from '../rabbitmq/result.publisher.js';
import { WaitingForRoom } from '../rabbitmq/waiting-for-room.js';
import { FailureHandler } from './failure.handler.js';
import { InferenceError } from './inference.errors.js';
import { Outage } from './outage.js';

describe('a failed delivery', () => {
  it('does not count towards an outage when the broker has the message again: a lost channel is none', async () => {
    const counted: InferenceError[] = [];
    const outage = { failed: (error: InferenceError) => void counted.push(error) } as unknown as Outage;
    const failures = new FailureHandler(
      readSettings({}),
      {} as ResultPublisher,
      outage,
      {} as WaitingForRoom,
    );
    const { delivery, acks } = deliver({});
    acks.close();
    await failures.fail(delivery, new PublishAbandonedError());
    expect(counted).toEqual([]);
  });

  it('keeps its deadline through its retries, also when its body was never read', async () => {
    const outage = { failed: () => {}, isExcused: () => false } as unknown as Outage;
    const deadlines: unknown[] = [];
    const results = {
      isConfirmed: () => false,
      retry: (...[, , , { deadline }]: Parameters<ResultPublisher['retry']>) => {
        deadlines.push(deadline);
        return Promise.resolve();
      },
    } as unknown as ResultPublisher;
    const failures = new FailureHandler(readSettings({}), results, outage, {} as WaitingForRoom);
    const { delivery } = deliver({}, { expiration: '60000' });
    await failures.fail(delivery, new Error('the guard is not well'));
    expect(deadlines).toEqual([delivery.receivedAt + 60_000]);
  });
});
