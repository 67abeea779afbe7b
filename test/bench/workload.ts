import { readFileSync } from 'node:fs';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { binaryBody, binaryInput } from '../support/binary-body.js';

/** How far an answer may lie from what a run of the model alone gives: batches add up in another order. */
const TOLERANCE = 1e-4;

interface V2Answer {
  readonly id?: string;
  readonly outputs?: readonly { readonly data: readonly number[] }[];
}

/** What is published for a message. */
export interface BenchRequest {
  readonly content: Buffer;
  readonly options: { readonly contentType: string; readonly headers?: Readonly<Record<string, number>> };
}

/** A model, requests for it, and the right answer to each. */
export class Workload {
  private constructor(
    readonly modelsDir: string,
    readonly model: string,
    /** Elements of a row. */
    readonly width: number,
    /** Requests that are sent in turn. */
    private readonly requests: readonly ((id: string) => BenchRequest)[],
    private readonly expected: readonly Float32Array[],
  ) {}

  /**
   * @param rows the elements of each row, as clients send them
   * @param perMessage so many rows in each message, as binary tensors; default: one, as JSON
   */
  static async open(
    modelsDir: string,
    model: string,
    rows: readonly (readonly number[])[],
    perMessage?: number,
  ): Promise<Workload> {
    const { input, rowShape, answers } = await runAlone(`${modelsDir}/${model}`, rows);
    const width = rows[0]?.length ?? 0;
    if (perMessage === undefined) return new Workload(modelsDir, model, width, rows.map(asJson), answers);
    /** For each message `perMessage` of them, from another one on each time. */
    const joined = (all: readonly ArrayLike<number>[]) =>
      all.map((_, first) => {
        const some = Array.from({ length: perMessage }, (__, index) => all[(first + index) % all.length]);
        return Float32Array.from(some.flatMap((one = []) => Array.from(one)));
      });
    const requests = joined(rows).map((data) => inBinary(input, [perMessage, ...rowShape], data));
    return new Workload(modelsDir, model, width, requests, joined(answers));
  }

  /** Message `index`. */
  request(index: number): BenchRequest {
    const request = this.requests[index % this.requests.length] as (id: string) => BenchRequest;
    return request(String(index));
  }

  /** What is wrong with the answer to message `index`; undefined when it is right. */
  problemOf(index: number, content: Buffer): string | undefined {
    const { id, outputs } = JSON.parse(content.toString()) as V2Answer;
    if (id !== String(index)) return `it is for request ${id}`;
    const expected = this.expected[index % this.expected.length] as Float32Array;
    const data = outputs?.[0]?.data;
    if (data?.length !== expected.length) return `it has ${data?.length} elements of ${expected.length}`;
    const wrong = data.findIndex((value, at) => Math.abs(value - (expected[at] as number)) > TOLERANCE);
    return wrong < 0 ? undefined : `element ${wrong} is ${data[wrong]}, not ${expected[wrong]}`;
  }
}

function asJson(row: readonly number[]): (id: string) => BenchRequest {
  const data = JSON.stringify(row);
  const options = { contentType: 'application/json' };
  return (id) => ({ content: Buffer.from(`{"id":"${id}","data":${data}}`), options });
}

function inBinary(input: string, shape: readonly number[], data: Float32Array): (id: string) => BenchRequest {
  const bytes = new Uint8Array(data.buffer);
  return (id) => binaryBody({ id, inputs: [binaryInput(input, 'FP32', shape, bytes)] }, bytes);
}

/** What the model in a folder answers to each row when nothing else is with it. */
async function runAlone(folder: string, rows: readonly (readonly number[])[]) {
  const { preprocess } = JSON.parse(readFileSync(`${folder}/model.json`, 'utf8')) as {
    preprocess?: { scale?: number };
  };
  env.logLevel = 'error';
  const session = await InferenceSession.create(`${folder}/model.onnx`, { intraOpNumThreads: 1 });
  const [{ name: input, shape }] = session.inputMetadata as [InferenceSession.TensorValueMetadata];
  const [output = ''] = session.outputNames;
  const rowShape = shape.slice(1).map(Number);
  const answers: Float32Array[] = [];
  for (const row of rows) {
    const data = Float32Array.from(row, (value) => value * (preprocess?.scale ?? 1));
    const result = await session.run({ [input]: new Tensor('float32', data, [1, ...rowShape]) });
    answers.push((result[output] as Tensor).data as Float32Array);
  }
  await session.release();
  return { input, rowShape, answers };
}
