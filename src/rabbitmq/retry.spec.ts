import { describe, expect, it } from '@jest/globals';
import { deliver } from '../../test/support/messages.js';
import { retryHeaders, retryProperties } from './retry.js';

const reason = { 'x-error-code': 'INTERNAL', 'x-attempts': 1 };

describe('a request that is tried again', () => {
  it('is as received, with the reason in headers', () => {
    const received = { messageId: 'm', correlationId: 'c', replyTo: 'answers', priority: 3 };
    const { delivery } = deliver({}, { ...received, headers: { traceparent: 't' } });
    expect(retryProperties(delivery, retryHeaders(reason, 0))).toEqual({
      ...received,
      headers: { traceparent: 't', ...reason },
    });
  });

  it('carries no history of the broker’s, which would grow with each attempt, or that it acts on', () => {
    const headers = {
      'x-death': [{}],
      'x-first-death-queue': 'q',
      'x-last-death-reason': 'expired',
      CC: ['q'],
    };
    const { delivery } = deliver({}, { headers: { ...headers, 'x-deathly': 1 } });
    expect(retryProperties(delivery, reason).headers).toEqual({ 'x-deathly': 1, ...reason });
  });

  it('says how many of its attempts are excused, and until when it is wanted', () => {
    const before = Date.now();
    const headers = retryHeaders(reason, 2, performance.now() + 60_000);
    expect(headers).toMatchObject({ ...reason, 'x-attempts-excused': 2 });
    const remainingMs = Number(headers['x-deadline']) - before;
    expect(Number.isInteger(remainingMs)).toBe(true);
    expect(remainingMs).toBeGreaterThanOrEqual(59_999);
    expect(retryHeaders(reason, 0)).toEqual(reason);
  });
});
