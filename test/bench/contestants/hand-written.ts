/**
 * The practical limit: one file over amqplib and onnxruntime-node, written plainly by somebody who knows both. Batches,
 * mandatory and confirmed results, an ack after each confirm; no framework, no validation, no metrics, no probes.
 */
import { readFileSync } from 'node:fs';
import { ConfirmChannel, connect, ConsumeMessage, SocketOptions } from 'amqplib';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';

interface Waiting {
  readonly message: ConsumeMessage;
  readonly id: string;
  readonly row: Float32Array;
  readonly since: number;
}

const { RABBITMQ_URL = '', REQUEST_QUEUE = '', MODELS_DIR = '', DEFAULT_MODEL = '' } = process.env;
const ioDelayMs = Number(process.env['PREPROCESS_IO_DELAY_MS']);
const maxSize = Number(process.env['BATCH_MAX_SIZE']);
const maxWaitMs = Number(process.env['BATCH_MAX_WAIT_MS']);

const folder = `${MODELS_DIR}/${DEFAULT_MODEL}`;
const { labels, preprocess } = JSON.parse(readFileSync(`${folder}/model.json`, 'utf8')) as {
  labels?: string[];
  preprocess?: { scale?: number };
};
const scale = preprocess?.scale ?? 1;
env.logLevel = 'error';
const session = await InferenceSession.create(`${folder}/model.onnx`, {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const [input] = session.inputMetadata as InferenceSession.TensorValueMetadata[];
const [output] = session.outputMetadata as InferenceSession.TensorValueMetadata[];
if (!input || !output) throw new Error('the model needs an input and an output');
const rowShape = input.shape.slice(1).map(Number);
const width = rowShape.reduce((product, dim) => product * dim, 1);

const socketOptions: SocketOptions = { noDelay: true };
const consumer = await (await connect(RABBITMQ_URL, socketOptions)).createChannel();
const publisher: ConfirmChannel = await (await connect(RABBITMQ_URL, socketOptions)).createConfirmChannel();

let waiting: Waiting[] = [];
let preparing = 0;
let isRunning = false;
let isScheduled = false;
let timer: NodeJS.Timeout | undefined;
let batches = 0;
let rows = 0;

async function handle(message: ConsumeMessage): Promise<void> {
  const request = JSON.parse(message.content.toString()) as { id: string; data: number[] };
  if (request.data.length !== width) throw new Error(`a row has ${width} elements`);
  preparing++;
  if (ioDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, ioDelayMs));
  const row = new Float32Array(width);
  for (let i = 0; i < width; i++) row[i] = (request.data[i] as number) * scale;
  preparing--;
  waiting.push({ message, id: request.id, row, since: performance.now() });
  schedule();
}

function schedule(): void {
  if (isScheduled || isRunning) return;
  isScheduled = true;
  setImmediate(() => {
    isScheduled = false;
    void runBatches();
  });
}

async function runBatches(): Promise<void> {
  if (isRunning) return;
  isRunning = true;
  clearTimeout(timer);
  while (waiting.length > 0) {
    const waitMs = (waiting[0] as Waiting).since + maxWaitMs - performance.now();
    if (waiting.length < maxSize && preparing > 0 && waitMs > 0) {
      timer = setTimeout(() => void runBatches(), waitMs);
      break;
    }
    const batch = waiting.slice(0, maxSize);
    waiting = waiting.slice(maxSize);
    await runBatch(batch);
  }
  isRunning = false;
}

async function runBatch(batch: readonly Waiting[]): Promise<void> {
  const data = new Float32Array(batch.length * width);
  batch.forEach(({ row }, index) => data.set(row, index * width));
  const feeds = { [input!.name]: new Tensor('float32', data, [batch.length, ...rowShape]) };
  const result = (await session.run(feeds))[output!.name] as Tensor;
  batches++;
  rows += batch.length;
  const scores = result.data as Float32Array;
  const perRow = scores.length / batch.length;
  batch.forEach(({ message, id }, index) => {
    const row = Array.from(scores.subarray(index * perRow, (index + 1) * perRow));
    answer(message, id, row, [1, ...result.dims.slice(1)]);
  });
}

function answer(message: ConsumeMessage, id: string, data: number[], shape: number[]): void {
  const best = data.indexOf(Math.max(...data));
  const body = {
    model_name: DEFAULT_MODEL,
    model_version: '1',
    id,
    outputs: [{ name: output!.name, shape, datatype: 'FP32', data }],
    parameters: labels && { label: [labels[best]], score: [data[best]] },
  };
  const { replyTo, correlationId, messageId } = message.properties;
  publisher.sendToQueue(
    replyTo ?? '',
    Buffer.from(JSON.stringify(body)),
    {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      type: 'inference.result',
      correlationId,
      messageId: `${messageId}.answer`,
    },
    (error) => (error ? consumer.nack(message) : consumer.ack(message)),
  );
}

process.on('SIGTERM', () => {
  console.log(JSON.stringify({ batches, rows }));
  process.exit(0);
});
await consumer.prefetch(Number(process.env['PREFETCH']));
await consumer.consume(REQUEST_QUEUE, (message) => message && void handle(message));
console.log('consuming');
