import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { ChannelModel } from 'amqplib';
import { deferred } from '../../test/support/deferred.js';
import { closeInTime } from './broker.connection.js';

const never = new Promise<void>(() => {});

describe('closeInTime', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('waits for a broker that is connected', async () => {
    const closing = deferred();
    let isOver = false;
    const closed = closeInTime({ connection: {} as ChannelModel }, () => closing.promise).then(
      () => (isOver = true),
    );
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
    closing.resolve();
    await closed;
  });

  it('does not wait for one that has not answered yet', async () => {
    jest.useFakeTimers(); // a limit would never pass
    await closeInTime({ connection: undefined }, () => never);
  });
});
