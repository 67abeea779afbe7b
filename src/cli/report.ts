import type { LoadReport } from './load-run.js';

/** Less than this would mean that answers went astray: the model itself is right for 98 % of the test set. */
const MIN_ACCURACY = 0.97;

/** A measured run, with the worker's own word on its batches. */
export interface DemoRun extends LoadReport {
  readonly meanBatch: number;
}

/**
 * Prints the two runs side by side.
 *
 * @param images size of the test set; message `i` of a run carried image `i` modulo that
 * @returns the exit code: 0 when every message was answered once, with the same label both ways, and enough were right
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
  for (const run of [sequential, concurrent])
    for (const [code, errors] of Object.entries(run.errors))
      console.log(`  ${count(errors)} answers were ${code}.`);
  return [sequential, concurrent].every(isGood) && differing === 0 ? 0 : 1;
}

function isGood({ answered, messages, duplicates, right }: DemoRun): boolean {
  return answered === messages && duplicates === 0 && right / messages >= MIN_ACCURACY;
}

function perSecond({ answered, elapsedMs }: DemoRun): number {
  return answered / (elapsedMs / 1000);
}

function count(value: number, digits = 0): string {
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
