import { describe, expect, it } from '@jest/globals';
import { deliver } from '../../test/support/messages.js';
import { InferenceError } from '../inference/inference.errors.js';
import { deadLetterProperties, reasonHeaders } from './dead-letter.js';

const error = new InferenceError('SHAPE_MISMATCH', 'send 64 elements');

function letterOf(properties: object, model?: string, reason = error) {
  const { delivery } = deliver({}, properties);
  return deadLetterProperties(delivery, reasonHeaders(delivery, reason, model));
}

describe('a dead letter', () => {
  it('has the properties of the message as received', () => {
    const properties = {
      contentType: 'application/json',
      contentEncoding: 'gzip',
      correlationId: 'c',
      replyTo: 'answers',
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 'digits',
      appId: 'app',
      priority: 3,
    };
    expect(letterOf(properties)).toMatchObject(properties);
    expect(letterOf({ headers: { traceparent: 't', other: [1] } }).headers).toMatchObject({
      traceparent: 't',
      other: [1],
    });
  });

  it('says in headers what went wrong, how often, since when and with which model', () => {
    const { headers } = letterOf({ headers: { 'x-attempts': 1 } }, 'digits');
    expect(headers).toMatchObject({
      'x-error-code': 'SHAPE_MISMATCH',
      'x-error-message': 'send 64 elements',
      'x-attempts': 2,
      'x-model': 'digits',
    });
    const since = String(headers?.['x-first-failed-at']);
    expect(new Date(since).toISOString()).toBe(since);
  });

  it('keeps the moment of the first failure, and the model that was asked for where none was found', () => {
    const received = { 'x-first-failed-at': '2024-01-01T00:00:00.000Z', 'x-model': 'asked' };
    expect(letterOf({ headers: received }).headers).toMatchObject(received);
  });

  it.each([
    ['x-attempts', [-1e300, 2 ** 50 + 0.5, -3, 'many']],
    ['x-first-failed-at', ['x'.repeat(70_000), -1e300]],
    ['inference-header-content-length', [2 ** 50 + 0.5, '9'.repeat(70_000)]],
  ])('takes no %s into its reason that could not be written again', (name, values) => {
    for (const value of values) {
      const { delivery } = deliver({}, { headers: { [name]: value } });
      expect(Object.values(reasonHeaders(delivery, error))).not.toContain(value);
    }
  });

  it('replaces the reason of an earlier failure', () => {
    const headers = { 'x-error-code': 'INTERNAL', 'x-error-message': 'old' };
    expect(letterOf({ headers }).headers).toMatchObject({ 'x-error-code': 'SHAPE_MISMATCH' });
  });

  it('holds nothing on which the broker would act: it neither expires nor is copied nor refused', () => {
    const letter = letterOf({
      expiration: '100',
      userId: 'guest',
      headers: { CC: ['other'], BCC: ['other'], 'x-delivery-count': 2, 'x-acquired-count': 3 },
    });
    for (const name of ['expiration', 'userId']) expect(letter).not.toHaveProperty(name);
    for (const name of ['CC', 'BCC', 'x-delivery-count', 'x-acquired-count'])
      expect(letter.headers).not.toHaveProperty([name]);
    expect(letter.headers).toMatchObject({ 'x-expiration': '100', 'x-user-id': 'guest' });
  });

  it('leaves out what has become too long by being read, as bytes that are no UTF-8 do', () => {
    const [long, fits] = ['\ufffd'.repeat(86), '\ufffd'.repeat(85)];
    const letter = letterOf({ correlationId: long, messageId: fits, type: long, replyTo: 'answers' });
    expect(letter).toMatchObject({ messageId: fits, replyTo: 'answers' });
    for (const name of ['correlationId', 'type']) expect(letter).not.toHaveProperty(name);
  });

  it('cuts a message that is too long for a header', () => {
    const { headers } = letterOf({}, undefined, new InferenceError('INTERNAL', 'x'.repeat(100_000)));
    expect(headers?.['x-error-message']).toHaveLength(501);
  });
});
