import { describe, expect, it } from '@jest/globals';
import { consumeMessage } from '../../../test/support/messages.js';
import { freshRequest } from './fresh-request.js';

const fresh = (properties: object) => freshRequest(consumeMessage(Buffer.from(''), properties).properties);

describe('a fresh request', () => {
  it("has the letter's properties and headers as they were", () => {
    const properties = {
      contentType: 'application/json',
      contentEncoding: 'gzip',
      correlationId: 'c',
      replyTo: 'answers',
      messageId: 'm',
      timestamp: 1_764_068_400,
      type: 'digits',
      appId: 'shop',
      priority: 3,
      headers: { traceparent: '00-1', 'x-model': 'digits', 'x-tenant': 7 },
    };
    expect(fresh(properties)).toEqual(properties);
  });

  it('has nothing of its death, nor a deadline, nor what the broker counts or acts on', () => {
    const headers = {
      'x-error-code': 'TOO_LARGE',
      'x-error-message': 'too large',
      'x-attempts': 3,
      'x-first-failed-at': '2026-11-25T11:00:00.000Z',
      'x-deadline': 5,
      'x-expiration': '5000',
      'x-user-id': 'someone',
      'x-death': [{ reason: 'delivery_limit' }],
      'x-first-death-reason': 'delivery_limit',
      'x-first-death-queue': 'inference',
      'x-last-death-exchange': '',
      'x-delivery-count': 3,
      'x-acquired-count': 3,
      'x-headers-left-out': 'own (70009 bytes)',
      'x-model': 'digits',
      'x-model-resolved': 'digits',
      'x-onnxmq-attempts': 3,
      'x-onnxmq-crashes': 3,
      CC: ['elsewhere'],
      BCC: ['elsewhere'],
    };
    expect(fresh({ headers, expiration: '5000', userId: 'someone' })).toEqual({ headers: {} });
  });
});
