import { spreadOf } from '../figures.js';

const REPEATS = 15;
const REPEAT_MS = 60;
const WARM_UP_MS = 200;

/** Prints the time of one call: the median of repeats, and their spread. */
export async function measure(name: string, call: () => unknown, unitsPerCall = 1): Promise<void> {
  const callsPerRepeat = Math.ceil((await callsWithin(call, WARM_UP_MS)) * (REPEAT_MS / WARM_UP_MS));
  const repeats: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const startedAt = performance.now();
    for (let index = 0; index < callsPerRepeat; index++) {
      const result = call();
      // Not awaited where there is nothing to await: that alone would take longer than some calls.
      if (result instanceof Promise) await result;
    }
    repeats.push(((performance.now() - startedAt) * 1e6) / callsPerRepeat / unitsPerCall);
  }
  const { median, min, max } = spreadOf(repeats) ?? { median: NaN, min: NaN, max: NaN };
  const ns = (value: number) => value.toFixed(0).padStart(8);
  console.log(`  ${name.padEnd(44)}${ns(median)} ns/op  (${ns(min).trim()}–${ns(max).trim()})`);
}

async function callsWithin(call: () => unknown, ms: number): Promise<number> {
  const endsAt = performance.now() + ms;
  let calls = 0;
  for (; performance.now() < endsAt; calls++) await call();
  return calls;
}
