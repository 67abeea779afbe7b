import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import { connect } from 'amqplib';
import { maskCredentials, readSettings } from '../config/settings.js';
import { credentialsOf } from '../rabbitmq/broker-url.js';
import { queuesOf } from '../rabbitmq/topology.js';
import { Broker } from './broker.js';
import { findBroker } from './find-broker.js';
import { runLoad } from './load-run.js';
import { positiveInteger } from './options.js';
import { startProgress } from './progress.js';
import { DemoRun, printComparison } from './report.js';
import { readTestSet } from './test-set.js';
import { LogLine, WorkerProcess } from './worker-process.js';

const PATIENCE_MS = 30_000;
/** The original worker: one message in hand from receipt to ack. */
const ONE_AT_A_TIME = { PREFETCH: '1', CONCURRENCY: '1', BATCH_MAX_SIZE: '1' };

interface DemoArguments {
  rounds: number;
  inFlight: number;
}

const options = new Command('npm run demo --')
  .description(
    'The main job on a fresh machine: finds or starts a RabbitMQ, starts the worker, sends the held-out images of the ' +
      'digits model through the queue, one at a time and then all at once, and checks every answer.',
  )
  .option('--rounds <count>', 'how often all images are sent at once', positiveInteger, 60)
  .option('--in-flight <count>', 'most messages sent and not yet answered', positiveInteger, 2000)
  .addHelpText('after', '\nThe broker: RABBITMQ_URL, else Docker, else a private rabbitmq-server.')
  .showHelpAfterError()
  .parse()
  .opts<DemoArguments>();

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());
/** What to undo, last first. */
const cleanups: (() => Promise<unknown>)[] = [];

try {
  process.exitCode = await demo();
} catch (error) {
  process.stderr.write(
    interrupt.signal.aborted ? 'demo: interrupted\n' : `demo: ${maskCredentials((error as Error).message)}\n`,
  );
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
} finally {
  for (const cleanup of cleanups.toReversed())
    await cleanup().catch((error: Error) => process.stderr.write(`demo: cleaning up: ${error.message}\n`));
}

async function demo(): Promise<number> {
  const testSet = readTestSet();
  const broker = await findBroker((line) => console.log(`  broker  ${line}`), interrupt.signal);
  cleanups.push(() => broker.stop());
  console.log(`  broker  ${broker.description}`);

  const images = testSet.images.length;
  const sequential = await measure(broker, 'one at a time', ONE_AT_A_TIME, images, 2);
  const concurrent = await measure(broker, 'onnxmq', {}, images * options.rounds, options.inFlight);
  return printComparison(sequential, concurrent, images);
}

/** Starts a worker with its own queue, sends the messages and stops it again. */
async function measure(
  broker: Broker,
  name: string,
  settings: Record<string, string>,
  messages: number,
  inFlight: number,
): Promise<DemoRun> {
  const queue = `onnxmq-demo-${randomUUID()}`;
  const worker = new WorkerProcess({ ...settings, RABBITMQ_URL: broker.url, REQUEST_QUEUE: queue });
  const undo = async () => {
    await worker.stop();
    await deleteQueues(broker.url, queuesOf(readSettings({ ...process.env, REQUEST_QUEUE: queue })));
  };
  cleanups.push(undo);
  await Promise.race([worker.consuming(), aborted()]);
  const died = worker.ended().then((code) => {
    throw new Error(`the worker ended with exit code ${code}: ${worker.errors}`);
  });
  died.catch(() => {}); // it ends in any case, after the run
  const model = await worker.log(({ context }) => context === 'Models');
  console.log(`  worker  ${name}: ${model.msg}`);

  const progress = startProgress(name.padEnd(13), messages);
  const run = runLoad(
    {
      url: broker.url,
      queue,
      messages,
      inFlight,
      wait: true,
      patienceMs: PATIENCE_MS,
      onProgress: (done) => progress.update(done),
    },
    readTestSet(),
    interrupt.signal,
  );
  const report = await Promise.race([run, died]).finally(() => progress.stop());
  cleanups.splice(cleanups.indexOf(undo), 1);
  await undo();
  return { ...report, meanBatch: meanBatch(worker.logs) };
}

function meanBatch(logs: readonly LogLine[]): number {
  const sum = (field: string) => logs.reduce((total, line) => total + Number(line[field] ?? 0), 0);
  return sum('rows') / sum('batches');
}

async function deleteQueues(url: string, queues: readonly { readonly name: string }[]): Promise<void> {
  const connection = await connect(url, { timeout: 5_000, credentials: credentialsOf(url) });
  const channel = await connection.createChannel();
  for (const { name } of queues) await channel.deleteQueue(name);
  await connection.close();
}

function aborted(): Promise<never> {
  return new Promise((_, reject) => {
    const { signal } = interrupt;
    if (signal.aborted) reject(new Error('interrupted'));
    signal.addEventListener('abort', () => reject(new Error('interrupted')));
  });
}
