import { describe, expect, it } from '@jest/globals';
import { linearScale, logScale, scaleFor, tickLabel } from './scale.js';

describe('linearScale', () => {
  it.each([
    [1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [23_000, [0, 5000, 10_000, 15_000, 20_000, 25_000]],
    [0.3, [0, 0.1, 0.2, 0.3]],
    [7, [0, 2, 4, 6, 8]],
  ])('up to %d has round ticks', (largest, ticks) => {
    expect(linearScale(largest).ticks).toEqual(ticks);
  });

  it('places 0 at the start and the last tick at the end', () => {
    const scale = linearScale(90);
    expect(scale.place(0)).toBe(0);
    expect(scale.place(scale.ticks.at(-1) as number)).toBe(1);
  });
});

describe('logScale', () => {
  it('goes from power of ten to power of ten', () => {
    expect(logScale(18, 80_000).ticks).toEqual([10, 100, 1000, 10_000, 100_000]);
  });

  it('has ticks in between where there are few decades', () => {
    expect(logScale(10, 100).ticks).toEqual([10, 20, 50, 100]);
  });

  it('places equal ratios at equal distances', () => {
    const scale = logScale(10, 1000);
    expect(scale.place(10)).toBeCloseTo(0);
    expect(scale.place(100)).toBeCloseTo(0.5);
    expect(scale.place(1000)).toBeCloseTo(1);
  });
});

describe('scaleFor', () => {
  it('is logarithmic where the values span decades', () => {
    expect(scaleFor([19, 20_000]).ticks).toContain(1000);
    expect(scaleFor([19, 20_000]).place(10)).toBeCloseTo(0);
  });

  it('is linear where they do not, or where there is a 0', () => {
    expect(scaleFor([10, 20]).place(0)).toBe(0);
    expect(scaleFor([0, 20_000]).place(0)).toBe(0);
  });
});

describe('tickLabel', () => {
  it.each([
    [0.5, '0.5'],
    [200, '200'],
    [20_000, '20 k'],
    [1_500_000, '1.5 M'],
  ])('shortens %d to %s', (value, label) => {
    expect(tickLabel(value)).toBe(label);
  });
});
