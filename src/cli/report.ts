import type { DemoRun } from './demo.js';

/**
 * Prints the two runs side by side.
 *
 * @param images size of the test set; message `i` of a run carried image `i` modulo that
 * @returns the exit code: 0 when every message was answered with the same label both ways
 */
export function printComparison(sequential: DemoRun, concurrent: DemoRun, images: number): number {
  const rows: [string, (run: DemoRun) => string][] = [
    ['messages', ({ messages }) => count(messages)],
    ['answered', ({ answered }) => count(answered)],
    ['right', ({ right }) => count(right)],
    ['accuracy', ({ right, messages }) => `${((100 * right) / messages).toFixed(2)} %`],
    ['msg/s', (run) => count(perSecond(run), 1)],
    ['p50', ({ latencyMs }) => `${latencyMs.p50.toFixed(1)} ms`],
    ['p90', ({ latencyMs }) => `${latencyMs.p90.toFixed(1)} ms`],
    ['p99', ({ latencyMs }) => `${latencyMs.p99.toFixed(1)} ms`],
    ['mean batch', ({ meanBatch }) => meanBatch.toFixed(1)],
  ];
  const line = (name: string, left: string, right: string) =>
    console.log(`  ${name.padEnd(12)}${left.padStart(15)}${right.padStart(15)}`);
  console.log('');
  line('', 'one at a time', 'onnxmq');
  for (const [name, value] of rows) line(name, value(sequential), value(concurrent));

  const differing = concurrent.labels.filter(
    (label, index) => label !== sequential.labels[index % images],
  ).length;
  const ratio = perSecond(concurrent) / perSecond(sequential);
  console.log(
    `\n  ${count(ratio)} times the throughput; ${differing} answers differ from those given one at a time.`,
  );
  const isComplete = [sequential, concurrent].every(
    ({ answered, messages, duplicates }) => answered === messages && duplicates === 0,
  );
  return isComplete && differing === 0 ? 0 : 1;
}

function perSecond({ answered, elapsedMs }: DemoRun): number {
  return answered / (elapsedMs / 1000);
}

function count(value: number, digits = 0): string {
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
