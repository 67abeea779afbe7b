import { describe, expect, it } from '@jest/globals';
import { oneLine } from './logger.js';

describe('oneLine', () => {
  it('leaves a text as it is that is one line in one direction', () => {
    const text = 'naïve "text" 🐇 שלום \\n C:\\temp';
    expect(oneLine(text)).toBe(text);
  });

  it('escapes line ends, other control characters and marks of direction as JSON does', () => {
    expect(oneLine('a\nb\r\tc\u0000\u001b[2J\u007f\u009b')).toBe(
      'a\\nb\\r\\tc\\u0000\\u001b[2J\\u007f\\u009b',
    );
    const marks =
      '\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff';
    expect(JSON.parse(`"${oneLine(marks)}"`)).toBe(marks);
    expect(oneLine(marks)).toMatch(/^(\\u[0-9a-f]{4}){15}$/);
    expect(oneLine('\u{e0041}')).toBe('\\udb40\\udc41');
  });
});
