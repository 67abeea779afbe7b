import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { answerId } from './answer.id.js';
import { RequestMessage } from './message.js';

describe('answerId', () => {
  const messageOf = (properties: RequestMessage['properties'], body = '{}'): RequestMessage => ({
    content: Buffer.from(body),
    properties,
  });

  it('comes from the message_id, whatever else names the request', () => {
    expect(answerId(messageOf({ messageId: 'm', correlationId: 'c' }), 'r')).toBe('m.answer');
  });

  it('comes from the correlation_id and the id without a message_id', () => {
    expect(answerId(messageOf({ correlationId: 'c' }), 'r')).toBe('c.r.answer');
    expect(answerId(messageOf({ correlationId: 'c' }), 'c')).toBe('c.answer');
    expect(answerId(messageOf({ messageId: '' }), 'r')).toBe('r.answer');
  });

  it('tells two anonymous requests apart by their bodies', () => {
    const ids = ['{"data":[1]}', '{"data":[2]}'].map((body) => answerId(messageOf({}, body), undefined));
    expect(new Set(ids).size).toBe(2);
  });

  it('shows the name of the request as long as that fits into 255 bytes', () => {
    expect(answerId(messageOf({ messageId: 'm'.repeat(248) }), undefined)).toBe(`${'m'.repeat(248)}.answer`);
    expect(answerId(messageOf({ messageId: 'm'.repeat(249) }), undefined)).toMatch(/^[\da-f]{32}\.answer$/);
    expect(answerId(messageOf({ messageId: 'ü'.repeat(125) }), undefined)).toMatch(/^[\da-f]{32}\.answer$/);
  });

  it('is the same each time, and fits an AMQP short string', () => {
    const name = fc.option(fc.string({ unit: 'binary', maxLength: 255 }), { nil: undefined });
    fc.assert(
      fc.property(name, name, name, fc.string(), (messageId, correlationId, id, body) => {
        const give = () => answerId(messageOf({ messageId, correlationId }, body), id);
        expect(give()).toBe(give());
        expect(Buffer.byteLength(give())).toBeLessThanOrEqual(255);
      }),
    );
  });
});
