import { describe, expect, it } from '@jest/globals';
import { consumeMessage } from '../../../test/support/messages.js';
import { letterDocument, letterText } from './letter-text.js';

const text = (body: Buffer | object, properties: object = {}, maxBytes = 4096) =>
  letterText(consumeMessage(body, properties), maxBytes);

describe('a letter in full', () => {
  it('has its properties, its headers and its body', () => {
    const properties = {
      messageId: 'a',
      priority: undefined,
      headers: { 'x-attempts': 1, traceparent: '00-1' },
    };
    expect(text({ data: [1, -2.5, 3e30], names: ['a'] }, properties).split('\n')).toEqual([
      'messageId             a',
      'headers',
      '  x-attempts          1',
      '  traceparent         00-1',
      'body, 37 bytes',
      '{',
      '  "data": [1, -2.5, 3e+30],',
      '  "names": [',
      '    "a"',
      '  ]',
      '}',
    ]);
  });

  it('shows a body that is no JSON as it is, without what would steer the terminal', () => {
    expect(text(Buffer.from('{"data": [1\u001b[2J'))).toMatch(/\{"data": \[1 \[2J$/);
  });

  it('shows all digits of integers beyond 2^53', () => {
    const body = '{"data":[9007199254740993,-9223372036854775808]}';
    expect(text(Buffer.from(body))).toContain(body);
  });

  it('cuts the body, and says by how much', () => {
    expect(text(Buffer.from('x'.repeat(100)), {}, 10)).toMatch(/\nx{10}…\n\(90 bytes more;/);
  });

  it('does not write bytes that are no text', () => {
    expect(text(Buffer.from([0xff, 0xfe]))).toMatch(/body, 2 bytes\n\(no text; --raw/);
  });

  it('is for a script an object with the body as text, or in base64', () => {
    expect(letterDocument(consumeMessage(Buffer.from('{"a'), { messageId: 'a' }))).toMatchObject({
      properties: { messageId: 'a' },
      headers: {},
      body: '{"a',
    });
    expect(letterDocument(consumeMessage(Buffer.from([0xff])))).toMatchObject({ bodyBase64: '/w==' });
  });
});
