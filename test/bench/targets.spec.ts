import { describe, expect, it } from '@jest/globals';
import { Figures } from './figures.js';
import { Results } from './results.js';
import { Check, checkTargets } from './targets.js';

const CPU = 'CPU per message against hand-written, I/O 50 ms';
const CPU_PEERS = 'CPU per message against the cheaper of Go and Rust, I/O 50 ms';

function checkOf(name: string, contestants: Record<string, Figures>): Check {
  const results = new Results(
    Object.entries(contestants).map(([subject, figures]) => ({
      suite: 'comparison',
      subject,
      x: 50,
      round: 0,
      figures,
    })),
  );
  return checkTargets(results).find((check) => check.name === name) as Check;
}

describe('checkTargets', () => {
  it('passes a cost at its limit', () => {
    const check = checkOf(CPU, { onnxmq: { cpuUs: 19 }, 'hand-written': { cpuUs: 20 } });
    expect(check).toMatchObject({ verdict: 'passed', measured: 0.95 });
  });

  it('misses a cost above its limit', () => {
    const check = checkOf(CPU, { onnxmq: { cpuUs: 20 }, 'hand-written': { cpuUs: 20 } });
    expect(check).toMatchObject({ verdict: 'missed', measured: 1 });
  });

  it('misses a throughput below its limit, and passes one at it', () => {
    const name = 'throughput against sequential, I/O 50 ms';
    const sequential = { perSecond: 20 };
    expect(checkOf(name, { onnxmq: { perSecond: 19_999 }, sequential }).verdict).toBe('missed');
    expect(checkOf(name, { onnxmq: { perSecond: 20_000 }, sequential }).verdict).toBe('passed');
  });

  it('takes the cheaper of those that were measured', () => {
    const onnxmq = { cpuUs: 10 };
    expect(checkOf(CPU_PEERS, { onnxmq, go: { cpuUs: 40 }, rust: { cpuUs: 20 } }).measured).toBe(0.5);
    expect(checkOf(CPU_PEERS, { onnxmq, go: { cpuUs: 40 } }).measured).toBe(0.25);
  });

  it('neither passes nor misses what was not measured', () => {
    const check = checkOf(CPU_PEERS, { onnxmq: { cpuUs: 10 } });
    expect(check).toMatchObject({ verdict: 'not measured', measured: undefined });
  });

  it('takes the I/O wait off an idle round trip', () => {
    const figures = { p50Ms: 51.2 };
    const results = new Results([{ suite: 'idle', subject: 'onnxmq', x: 50, round: 0, figures }]);
    const check = checkTargets(results).find(({ name }) => name.includes('wait of 50 ms, p50'));
    expect(check?.measured).toBeCloseTo(1.2);
    expect(check?.verdict).toBe('passed');
  });

  it('holds the worst round against the limit of memory and of lost connections', () => {
    const rounds = [100, 170].map((peakRssMb, round) => ({
      suite: 'memory',
      subject: 'onnxmq',
      x: 100_000,
      round,
      figures: { peakRssMb },
    }));
    const check = checkTargets(new Results(rounds)).find(({ name }) => name.startsWith('peak RSS'));
    expect(check).toMatchObject({ verdict: 'missed', measured: 170 });
  });
});
