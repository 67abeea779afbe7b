import { describe, expect, it } from '@jest/globals';
import { deliver } from '../../test/support/messages.js';
import { historyHeaders } from './history.js';
import { retryProperties } from './retry.js';

const history = { attempts: 1, excusedAttempts: 0, unknownModelAttempts: 0, crashes: 0 };
const added = { 'x-error-code': 'INTERNAL', 'x-attempts': 1, ...historyHeaders(history) };

describe('a copy that goes back to the request queue', () => {
  it('is the request as received, with the reason and the history in headers', () => {
    const received = { messageId: 'm', correlationId: 'c', replyTo: 'answers', priority: 3 };
    const { delivery } = deliver({}, { ...received, headers: { traceparent: 't' } });
    expect(retryProperties(delivery, added)).toEqual({
      ...received,
      headers: { traceparent: 't', ...added },
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
    expect(retryProperties(delivery, added).headers).toEqual({ 'x-deathly': 1, ...added });
  });

  it('has its history anew: nothing of the former one is left', () => {
    const former = historyHeaders({
      ...history,
      excusedAttempts: 1,
      unknownModelAttempts: 1,
      crashes: 2,
      deadline: 0,
    });
    const { delivery } = deliver({}, { headers: former });
    expect(retryProperties(delivery, added).headers).toEqual(added);
  });
});
