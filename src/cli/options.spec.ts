import { describe, expect, it } from '@jest/globals';
import { durationMs, positiveInteger, positiveNumber } from './options.js';

describe('durationMs', () => {
  it.each([
    ['30s', 30_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1.5h', 5_400_000],
    ['0s', 0],
  ])('reads %s', (text, expected) => {
    expect(durationMs(text)).toBe(expected);
  });

  it.each(['', '5', 'h', '5 h', '-5m', '5w', '5ms', '1h30m'])(
    'refuses %j, and says what it takes',
    (text) => {
      expect(() => durationMs(text)).toThrow('30s, 15m, 2h or 7d');
    },
  );
});

describe('positiveInteger and positiveNumber', () => {
  it('read what is above 0', () => {
    expect(positiveInteger('3')).toBe(3);
    expect(positiveNumber('0.5')).toBe(0.5);
  });

  it.each(['0', '-1', 'many', ''])('refuse %j', (text) => {
    expect(() => positiveInteger(text)).toThrow('above 0');
    expect(() => positiveNumber(text)).toThrow('above 0');
  });

  it('know a whole number from another', () => {
    expect(() => positiveInteger('1.5')).toThrow('whole number');
  });
});
