import { describe, expect, it } from '@jest/globals';
import { letterTable, letterTotals, printable } from './letter-table.js';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const failed = (ageMs: number) => new Date(NOW - ageMs).toISOString();
const letter = (more: object = {}) => ({ position: 1, code: 'TOO_LARGE', bytes: 1, ...more });

describe('the table of letters', () => {
  it('has a line for each letter, with columns as wide as what is in them', () => {
    const letters = [
      letter({
        messageId: 'a',
        model: 'digits',
        attempts: 1,
        error: 'so it is',
        firstFailedAt: failed(90_000),
      }),
      letter({ position: 12, correlationId: 'c' }),
    ];
    expect(letterTable(letters, NOW, Infinity).split('\n')).toEqual([
      '#   age  code       model   attempts  message_id  error',
      '1   1m   TOO_LARGE  digits  1         a           so it is',
      '12  -    TOO_LARGE  -       -         c           -',
    ]);
  });

  it.each([
    [-5000, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_600_000, '1h'],
    [47 * 3_600_000, '47h'],
    [48 * 3_600_000, '2d'],
  ])('says an age of %i ms in one unit', (ageMs, expected) => {
    const [, line] = letterTable([letter({ firstFailedAt: failed(ageMs) })], NOW, Infinity).split('\n');
    expect(line).toMatch(new RegExp(`^1 +${expected} `));
  });

  it("is cut to the terminal's width", () => {
    const lines = letterTable([letter({ error: 'e'.repeat(200) })], NOW, 80).split('\n');
    expect(lines[1]).toHaveLength(80);
    expect(lines[1]).toMatch(/e…$/);
  });

  it('keeps to one line a letter, whatever is in it', () => {
    const letters = [letter({ messageId: 'a\nb', error: '\u001b[2Jgone\u009b1m', code: 'A\u202eB' })];
    const text = letterTable(letters, NOW, Infinity);
    expect(text.split('\n')).toHaveLength(2);
    expect(text.replaceAll('\n', '')).toBe(printable(text.replaceAll('\n', '')));
    expect(text).toContain('a b');
  });
});

describe('the totals', () => {
  it('count by code and model, the most first', () => {
    const letters = [letter(), letter({ code: 'X', model: 'm' }), letter({ code: 'X', model: 'm' })];
    expect(letterTotals(letters)).toBe('2 × X m\n1 × TOO_LARGE');
  });
});
