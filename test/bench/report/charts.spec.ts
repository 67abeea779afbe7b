import { describe, expect, it } from '@jest/globals';
import { barChart, lineChart } from './charts.js';

const at = (median: number) => ({ median, min: median, max: median });

describe('barChart', () => {
  it('has a bar and a value for each that there is', () => {
    const svg = barChart({
      title: 'Throughput',
      label: 'messages/s',
      digits: 0,
      series: ['I/O 0 ms', 'I/O 50 ms'],
      groups: [
        { name: 'sequential', values: [at(400), at(19)] },
        { name: 'ack-only', values: [at(80_000), undefined] },
      ],
    });
    const tips = [...svg.matchAll(/<title>(.*?)<\/title>/g)].map(([, tip]) => tip);
    expect(tips).toEqual([
      'sequential, I/O 0 ms: 400',
      'sequential, I/O 50 ms: 19',
      'ack-only, I/O 0 ms: 80,000',
    ]);
    expect(svg).not.toContain('NaN');
  });
});

describe('lineChart', () => {
  it('has no text that breaks out of its markup, and no half workers', () => {
    const points = [
      { x: 1, y: at(300) },
      { x: 2, y: { median: 600, min: 580, max: 610 } },
    ];
    const svg = lineChart({
      title: 'a < b & "c"',
      xLabel: 'workers',
      yLabel: 'y',
      series: [{ name: 's', points }],
    });
    expect(svg).not.toContain('a < b');
    expect(svg).not.toContain('>0.5<');
    expect(svg).not.toContain('NaN');
  });
});
