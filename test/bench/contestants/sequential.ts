/** The original way: one message at a time from receipt to ack, each confirmed before the next is taken. */
import { readFileSync } from 'node:fs';
import { connect, ConsumeMessage } from 'amqplib';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';

const { RABBITMQ_URL = '', REQUEST_QUEUE = '', MODELS_DIR = '', DEFAULT_MODEL = '' } = process.env;
const ioDelayMs = Number(process.env['PREPROCESS_IO_DELAY_MS']);

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
const [output] = session.outputNames;
if (!input || !output) throw new Error('the model needs an input and an output');
const shape = [1, ...input.shape.slice(1).map(Number)];

const connection = await connect(RABBITMQ_URL, { noDelay: true });
const channel = await connection.createConfirmChannel();
let rows = 0;

async function handle(message: ConsumeMessage): Promise<void> {
  const { id, data } = JSON.parse(message.content.toString()) as { id: string; data: number[] };
  if (ioDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, ioDelayMs));
  const row = Float32Array.from(data, (value) => value * scale);
  const result = (await session.run({ [input!.name]: new Tensor('float32', row, shape) }))[output!] as Tensor;
  const scores = Array.from(result.data as Float32Array);
  const best = scores.indexOf(Math.max(...scores));
  const body = {
    model_name: DEFAULT_MODEL,
    model_version: '1',
    id,
    outputs: [{ name: output, shape: result.dims, datatype: 'FP32', data: scores }],
    parameters: labels && { label: [labels[best]], score: [scores[best]] },
  };
  const { replyTo, correlationId, messageId } = message.properties;
  channel.sendToQueue(replyTo ?? '', Buffer.from(JSON.stringify(body)), {
    persistent: true,
    mandatory: true,
    contentType: 'application/json',
    type: 'inference.result',
    correlationId,
    messageId: `${messageId}.answer`,
  });
  await channel.waitForConfirms();
  rows++;
  channel.ack(message);
}

process.on('SIGTERM', () => {
  console.log(JSON.stringify({ batches: rows, rows }));
  process.exit(0);
});
await channel.prefetch(1);
await channel.consume(REQUEST_QUEUE, (message) => message && void handle(message));
console.log('consuming');
