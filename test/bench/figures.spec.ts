import { describe, expect, it } from '@jest/globals';
import { percentile, spreadOf } from './figures.js';

describe('spreadOf', () => {
  it('is the middle of an odd number of values, with the least and the most', () => {
    expect(spreadOf([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
  });

  it('is the mean of the two in the middle of an even number', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  });

  it('is undefined where nothing was measured', () => {
    expect(spreadOf([])).toBeUndefined();
  });
});

describe('percentile', () => {
  const thousand = Array.from({ length: 1000 }, (_, index) => index + 1);

  it.each([
    [50, 500],
    [99, 990],
    [99.9, 999],
    [100, 1000],
    [0, 1],
  ])('%d of 1 … 1,000 is %d', (percent, value) => {
    expect(percentile(thousand, percent)).toBe(value);
  });

  it('is the only value, whatever is asked for', () => {
    expect(percentile([7], 1)).toBe(7);
    expect(percentile([7], 99.9)).toBe(7);
  });

  it('is NaN where nothing was measured', () => {
    expect(percentile([], 50)).toBeNaN();
  });
});
