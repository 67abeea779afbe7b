import { Command } from 'commander';
import { maskCredentials } from '../config/settings.js';
import { LoadReport, runLoad } from './load-run.js';
import { positiveInteger, positiveNumber } from './options.js';
import { startProgress } from './progress.js';
import { readTestSet } from './test-set.js';

interface LoadArguments {
  host?: string;
  url: string;
  queue: string;
  model?: string;
  numMessages: number;
  inFlight?: number;
  rate?: number;
  wait: boolean;
  patience: number;
}

const command = new Command('npm run load --')
  .description('Sends labelled images to a running onnxmq worker and reports times, answers and accuracy.')
  .option('--host <name>', "the broker's host, instead of the one in the URL")
  .option('--url <url>', 'the broker', process.env['RABBITMQ_URL'] ?? 'amqp://guest:guest@localhost:5672')
  .option('--queue <name>', "the worker's request queue", process.env['REQUEST_QUEUE'] ?? 'inference')
  .option('--model <name>', "the model to ask for (the worker's default otherwise)")
  .option('--num-messages <count>', 'messages to send', positiveInteger, 1000)
  .option(
    '--in-flight <count>',
    'most messages sent and not yet answered (no limit otherwise)',
    positiveInteger,
  )
  .option(
    '--rate <per-second>',
    'send at a constant rate; latency counts from the intended moment',
    positiveNumber,
  )
  .option('--no-wait', 'only send')
  .option('--patience <seconds>', 'give up when no answer comes for this long', positiveNumber, 30)
  .showHelpAfterError();

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());

try {
  process.exitCode = await load(command.parse().opts<LoadArguments>());
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  process.stderr.write(`load: ${maskCredentials(message || code || 'failed')}\n`);
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
}

async function load(options: LoadArguments): Promise<number> {
  const url = new URL(options.url.split(',')[0] ?? '');
  if (options.host) url.hostname = options.host;
  const { numMessages: messages, wait, queue } = options;
  console.log(`${messages} messages to '${queue}' at ${url.host}`);
  const progress = startProgress(wait ? 'answered' : 'sent', messages);
  const report = await runLoad(
    {
      ...options,
      url: url.href,
      messages,
      patienceMs: options.patience * 1000,
      onProgress: (done) => progress.update(done),
    },
    readTestSet(),
    interrupt.signal,
  ).finally(() => progress.stop());
  console.log(describe(report, wait));
  return wait && (report.answered < messages || Object.keys(report.errors).length > 0) ? 1 : 0;
}

function describe(report: LoadReport, wait: boolean): string {
  const { messages, sendMs, answered, duplicates, errors, right, elapsedMs, latencyMs } = report;
  const lines = [
    [
      'sent',
      `${messages} in ${(sendMs / 1000).toFixed(2)} s, ${(sendMs / messages).toFixed(3)} ms a message`,
    ],
  ];
  if (wait)
    lines.push(
      ['answered', `${answered} of ${messages}${duplicates > 0 ? `, and ${duplicates} twice` : ''}`],
      ['right', `${right} (${((100 * right) / messages).toFixed(2)} %)`],
      ['throughput', `${Math.round(answered / (elapsedMs / 1000))} msg/s`],
      ['latency', `p50 ${ms(latencyMs.p50)}, p90 ${ms(latencyMs.p90)}, p99 ${ms(latencyMs.p99)}`],
    );
  for (const [code, count] of Object.entries(errors)) lines.push(['error', `${code} × ${count}`]);
  return lines.map(([name = '', value = '']) => `  ${name.padEnd(11)} ${value}`).join('\n');
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
