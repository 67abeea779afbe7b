import { describe, expect, it } from '@jest/globals';
import { Figures, Measurement } from '../figures.js';
import { compare } from './compare.js';

function rounds(...all: Figures[]): Measurement[] {
  return all.map((figures, round) => ({ suite: 'comparison', subject: 'onnxmq', x: 50, round, figures }));
}

describe('compare', () => {
  it('says by how much the median changed', () => {
    const [change] = compare(rounds({ cpuUs: 40 }), rounds({ cpuUs: 30 }));
    expect(change).toMatchObject({ figure: 'cpuUs', before: 40, after: 30, ratio: 0.75, verdict: 'better' });
  });

  it('knows that more throughput is better, and more latency is worse', () => {
    const changes = compare(rounds({ perSecond: 10, p99Ms: 10 }), rounds({ perSecond: 20, p99Ms: 20 }));
    expect(changes.map(({ verdict }) => verdict)).toEqual(['better', 'worse']);
  });

  it('calls it the same where the rounds overlap', () => {
    const before = rounds({ cpuUs: 30 }, { cpuUs: 36 });
    const after = rounds({ cpuUs: 28 }, { cpuUs: 31 });
    expect(compare(before, after)).toMatchObject([{ before: 33, after: 29.5, verdict: 'same' }]);
  });

  it('calls a small change the same', () => {
    expect(compare(rounds({ cpuUs: 100 }), rounds({ cpuUs: 98 }))).toMatchObject([{ verdict: 'same' }]);
  });

  it('leaves out what only one of them has', () => {
    expect(compare(rounds({ cpuUs: 30 }), rounds({ p99Ms: 5 }))).toEqual([]);
  });
});
