import { describe, expect, it } from '@jest/globals';
import { deliver } from '../../test/support/messages.js';
import { InferenceError } from '../inference/inference.errors.js';
import { deadLetterProperties, reasonHeaders } from './dead-letter.js';
import { historyHeaders } from './history.js';

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
    const { headers } = letterOf({ headers: { 'x-onnxmq-attempts': 1 } }, 'digits');
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
    const moment = '2024-01-01T00:00:00.000Z';
    const copy = { 'x-onnxmq-attempts': 1, 'x-onnxmq-first-failed-at': moment, 'x-model': 'asked' };
    const expected = { 'x-first-failed-at': moment, 'x-model': 'asked' };
    expect(letterOf({ headers: copy }).headers).toMatchObject(expected);
  });

  it('holds nothing that a worker would count: moved back to the request queue, it begins anew', () => {
    const counted = historyHeaders({
      attempts: 4,
      excusedAttempts: 1,
      unknownModelAttempts: 2,
      crashes: 3,
      firstFailedAt: '2024-01-01T00:00:00.000Z',
      deadline: 5,
    });
    const { headers } = letterOf({ headers: { ...counted, own: 1 } }, 'digits');
    expect(Object.keys(headers as object).filter((name) => name in counted)).toEqual([]);
    const again = deliver({}, { headers });
    expect(again.delivery).toMatchObject({ attempts: 1, excusedAttempts: 0, unknownModelAttempts: 0 });
    const next = reasonHeaders(again.delivery, error);
    expect(next).toMatchObject({ 'x-attempts': 1 });
    expect(next['x-first-failed-at']).not.toBe('2024-01-01T00:00:00.000Z');
  });

  it('says of a model that the request did not ask for by a header that the worker has noted it', () => {
    const noted = letterOf({}, 'digits').headers;
    expect(noted).toMatchObject({ 'x-model': 'digits', 'x-model-resolved': 'digits' });
    const asked = letterOf({ headers: { 'x-model': 'digits' } }, 'digits').headers;
    expect(asked).not.toHaveProperty('x-model-resolved');
    const again = letterOf({ headers: noted }, 'letters').headers;
    expect(again).toMatchObject({ 'x-model': 'letters', 'x-model-resolved': 'letters' });
  });

  it.each([
    ['a name of 70,000 letters', 'm'.repeat(70_000), `${'m'.repeat(100)}…`],
    ['a value that cannot be written again', { '!': 'odd' }, '(no text)'],
  ])('asks for no other model where that was asked for by %s', (_, model, name) => {
    expect(letterOf({ headers: { 'x-model': model } }).headers).toMatchObject({ 'x-model': name });
  });

  it.each([
    ['x-onnxmq-attempts', [-1e300, 2 ** 50 + 0.5, -3, 'many']],
    ['x-onnxmq-first-failed-at', ['x'.repeat(70_000), -1e300]],
    ['inference-header-content-length', [2 ** 50 + 0.5, '9'.repeat(70_000)]],
  ])('takes no %s into its reason that could not be written again', (name, values) => {
    for (const value of values) {
      const { delivery } = deliver({}, { headers: { 'x-onnxmq-attempts': 1, [name]: value } });
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

  it('cuts a message that is too long for a header', () => {
    const { headers } = letterOf({}, undefined, new InferenceError('INTERNAL', 'x'.repeat(100_000)));
    expect(headers?.['x-error-message']).toHaveLength(501);
  });
});
