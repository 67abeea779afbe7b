import { describe, expect, it } from '@jest/globals';
import { Results } from './results.js';

const results = new Results([
  { suite: 'rate', subject: 'onnxmq', x: 80, round: 0, figures: { perSecond: 10, p99Ms: 5 } },
  { suite: 'rate', subject: 'onnxmq', x: 20, round: 0, figures: { perSecond: 4 } },
  { suite: 'rate', subject: 'onnxmq', x: 80, round: 1, figures: { perSecond: 30, p99Ms: NaN } },
  { suite: 'idle', subject: 'onnxmq', x: 80, round: 0, figures: { perSecond: 1 } },
]);

describe('Results', () => {
  it('puts the rounds of a case together, and no others', () => {
    expect(results.spread('rate', 'onnxmq', 80, 'perSecond')).toEqual({ median: 20, min: 10, max: 30 });
  });

  it('leaves out what is no number', () => {
    expect(results.median('rate', 'onnxmq', 80, 'p99Ms')).toBe(5);
  });

  it('has no median of what was not measured', () => {
    expect(results.median('rate', 'onnxmq', 50, 'perSecond')).toBeUndefined();
    expect(results.median('rate', 'onnxmq', 20, 'p99Ms')).toBeUndefined();
  });

  it('knows the suites in the order of measuring, and what they varied in ascending order', () => {
    expect(results.suites()).toEqual(['rate', 'idle']);
    expect(results.xs('rate')).toEqual([20, 80]);
  });

  it('has one median for each case', () => {
    expect(results.medians()).toEqual([
      { suite: 'rate', subject: 'onnxmq', x: 20, figures: { perSecond: 4, p99Ms: undefined } },
      { suite: 'rate', subject: 'onnxmq', x: 80, figures: { perSecond: 20, p99Ms: 5 } },
      { suite: 'idle', subject: 'onnxmq', x: 80, figures: { perSecond: 1 } },
    ]);
  });
});
