import { describe, expect, it } from '@jest/globals';
import { Figures } from './figures.js';
import { Results } from './results.js';
import { Check, checkTargets } from './targets.js';

const CPU = 'CPU per message against stock-nest, I/O 50 ms';
const CPU_PEERS = 'CPU per message against the cheaper of Go and Rust, I/O 50 ms';

function checkOf(name: string, subjects: Record<string, Figures>, suite = 'comparison'): Check {
  const results = new Results(
    Object.entries(subjects).map(([subject, figures]) => ({ suite, subject, x: 50, round: 0, figures })),
  );
  return checkTargets(results).find((check) => check.name === name) as Check;
}

describe('checkTargets', () => {
  it('passes a cost at its limit', () => {
    const check = checkOf(CPU, { onnxmq: { cpuUs: 20 }, 'stock-nest': { cpuUs: 40 } });
    expect(check).toMatchObject({ verdict: 'passed', measured: 0.5 });
  });

  it('misses a cost above its limit', () => {
    const check = checkOf(CPU, { onnxmq: { cpuUs: 24 }, 'stock-nest': { cpuUs: 40 } });
    expect(check).toMatchObject({ verdict: 'missed', measured: 0.6 });
  });

  it('misses a throughput below its limit, and passes one at it', () => {
    const name = 'throughput against sequential, I/O 50 ms';
    const sequential = { perSecond: 20 };
    expect(checkOf(name, { onnxmq: { perSecond: 19_999 }, sequential }).verdict).toBe('missed');
    expect(checkOf(name, { onnxmq: { perSecond: 20_000 }, sequential }).verdict).toBe('passed');
  });

  it('takes the ratio to the cheaper of those that were measured', () => {
    const go = { cpuRatio: 0.25 };
    expect(checkOf(CPU_PEERS, { go, rust: { cpuRatio: 0.5 } }, 'side-by-side').measured).toBe(0.5);
    expect(checkOf(CPU_PEERS, { go }, 'side-by-side').measured).toBe(0.25);
  });

  it('takes costs as measured one after the other where they were not side by side', () => {
    const subjects = { onnxmq: { cpuUs: 10 }, go: { cpuUs: 40 }, rust: { cpuUs: 20 } };
    expect(checkOf(CPU_PEERS, subjects).measured).toBe(0.5);
  });

  it('neither passes nor misses what was not measured', () => {
    const unmeasured = { verdict: 'not measured', measured: undefined };
    expect(checkOf(CPU_PEERS, { onnxmq: { cpuUs: 10 } })).toMatchObject(unmeasured);
    expect(checkOf(CPU, { onnxmq: { cpuUs: 10 } })).toMatchObject(unmeasured);
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
