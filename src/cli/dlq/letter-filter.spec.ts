import { describe, expect, it } from '@jest/globals';
import { fits, isFiltered } from './letter-filter.js';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const letter = {
  position: 1,
  messageId: 'order-1',
  correlationId: 'c-1',
  code: 'UNKNOWN_MODEL',
  model: 'letters',
  firstFailedAt: '2026-11-25T11:00:00Z',
  bytes: 10,
};
const HOUR_MS = 3_600_000;

describe('a filter', () => {
  it.each([
    ['no condition', {}, true],
    ['its code', { code: ['UNKNOWN_MODEL'] }, true],
    ['one of several codes', { code: ['TOO_LARGE', 'UNKNOWN_MODEL'] }, true],
    ['another code', { code: ['TOO_LARGE'] }, false],
    ['its model', { model: 'letters' }, true],
    ['another model', { model: 'digits' }, false],
    ['its message id', { id: 'order-1' }, true],
    ['its correlation id', { id: 'c-1' }, true],
    ['another id', { id: 'order' }, false],
    ['a lower bound of its age', { olderThan: HOUR_MS - 1 }, true],
    ['a lower bound above its age', { olderThan: HOUR_MS }, false],
    ['an upper bound of its age', { newerThan: HOUR_MS + 1 }, true],
    ['an upper bound below its age', { newerThan: HOUR_MS }, false],
    ['one condition that fits and one that does not', { model: 'letters', code: ['TOO_LARGE'] }, false],
  ])('with %s lets the letter through: %#', (_, filter, expected) => {
    expect(fits(letter, filter, NOW)).toBe(expected);
  });

  it('on age leaves out a letter that does not say when it failed', () => {
    const ageless = { ...letter, firstFailedAt: undefined };
    expect(fits(ageless, { olderThan: 0 }, NOW)).toBe(false);
    expect(fits(ageless, { newerThan: HOUR_MS }, NOW)).toBe(false);
    expect(fits(ageless, {}, NOW)).toBe(true);
  });

  it('knows whether it leaves anything out', () => {
    expect(isFiltered({})).toBe(false);
    expect(isFiltered({ model: 'letters' })).toBe(true);
    expect(isFiltered({ olderThan: 0 })).toBe(true);
  });
});
