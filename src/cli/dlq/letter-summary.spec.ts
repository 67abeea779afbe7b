import { describe, expect, it } from '@jest/globals';
import { consumeMessage } from '../../../test/support/messages.js';
import { summaryOf } from './letter-summary.js';

const summary = (headers: object, properties: object = {}) =>
  summaryOf(consumeMessage(Buffer.from('{}'), { headers, ...properties }), 7);

describe('the summary of a dead letter', () => {
  it("is the worker's account of it", () => {
    const headers = {
      'x-error-code': 'UNKNOWN_MODEL',
      'x-error-message': 'there is no model "letters"',
      'x-attempts': 2,
      'x-first-failed-at': '2026-11-25T11:00:00.000Z',
      'x-model': 'letters',
    };
    expect(summary(headers, { messageId: 'order-1', correlationId: 'c-1' })).toEqual({
      position: 7,
      messageId: 'order-1',
      correlationId: 'c-1',
      code: 'UNKNOWN_MODEL',
      model: 'letters',
      attempts: 2,
      firstFailedAt: '2026-11-25T11:00:00.000Z',
      error: 'there is no model "letters"',
      bytes: 2,
    });
  });

  it("is RabbitMQ's account where RabbitMQ put it there, by the latest death", () => {
    const time = { '!': 'timestamp', value: 1_764_068_400 };
    const death = [{ reason: 'delivery_limit', time }, { reason: 'rejected' }];
    expect(summary({ 'x-death': death })).toMatchObject({
      code: 'DELIVERY_LIMIT',
      firstFailedAt: '2025-11-25T11:00:00.000Z',
    });
  });

  it.each([
    [{}],
    [{ 'x-error-code': 5, 'x-death': 'x', 'x-first-failed-at': 'soon', 'x-attempts': '2' }],
    [{ 'x-death': [] }],
    [{ 'x-death': [null], 'x-first-failed-at': Infinity }],
  ])('leaves out what headers of others do not say: %j', (headers) => {
    expect(JSON.parse(JSON.stringify(summary(headers)))).toEqual({ position: 7, code: '-', bytes: 2 });
  });
});
