import { AnsweringModel, encodeResult } from '../../../src/protocol/answer.encoder.js';
import { decodeRequest } from '../../../src/protocol/request.decoder.js';
import { Rows, rowsOf } from '../../../src/protocol/rows.js';
import { Answer, maxBytesOf, writeAnswer } from '../../../src/rabbitmq/answer.frames.js';
import { seededRandom } from '../../support/seeded-random.js';
import { measure } from './measure.js';

/** From a body to rows, and from outputs to the frames of an answer: what the codec does for each message. */
export async function measureCodec(): Promise<void> {
  for (const floats of [64, 4096]) await measureDecoding(floats);
  for (const classes of [10, 1000]) await measureEncoding(classes);
}

async function measureDecoding(floats: number): Promise<void> {
  const random = seededRandom('codec');
  const data = Array.from({ length: floats }, () => Math.round(random() * 16));
  const model = modelOf(floats, 10);
  const properties = { messageId: '1', correlationId: '1' };
  const forms = {
    shorthand: { id: '1', data },
    'V2 JSON': {
      id: '1',
      inputs: [{ name: 'input', shape: [1, floats], datatype: 'FP32', data }],
    },
  };
  for (const [form, body] of Object.entries(forms)) {
    const content = Buffer.from(JSON.stringify(body));
    const message = { content, properties };
    await measure(`decode and rows, ${form}, ${floats} numbers`, () =>
      rowsOf(decodeRequest(content, message, 0), model),
    );
  }
}

async function measureEncoding(classes: number): Promise<void> {
  const random = seededRandom('codec');
  const scores = Float32Array.from({ length: classes }, random);
  const model = modelOf(64, classes);
  const rows: Rows = { tensors: [scores], dims: [[classes]], first: 0, count: 1 };
  await measure(`encode, ${classes} scores`, () => encodeResult({ id: '1' }, model, rows));

  const answer: Answer = {
    queue: 'answers',
    body: encodeResult({ id: '1' }, model, rows) as string,
    type: 'inference.result',
    messageId: '1.answer',
    correlationId: '1',
    mandatory: true,
  };
  const target = Buffer.alloc(maxBytesOf(answer));
  await measure(`write the frames, ${classes} scores`, () => writeAnswer(target, 0, 1, answer));
}

function modelOf(floats: number, classes: number): AnsweringModel {
  return {
    name: 'model',
    version: '1',
    inputs: [{ name: 'input', datatype: 'FP32', shape: ['batch', floats] }],
    outputs: [{ name: 'scores', datatype: 'FP32', shape: ['batch', classes] }],
    hasOpenRows: true,
    mayBatch: true,
    labels: Array.from({ length: classes }, (_, index) => String(index)),
  };
}
