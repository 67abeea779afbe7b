import { readFileSync } from 'node:fs';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';

/** How far an answer may lie from what a run of the model alone gives: batches add up in another order. */
const TOLERANCE = 1e-4;

interface V2Answer {
  readonly id?: string;
  readonly outputs?: readonly { readonly data: readonly number[] }[];
}

/** A model, rows for it, and the right answer to each. */
export class Workload {
  private constructor(
    readonly modelsDir: string,
    readonly model: string,
    /** Elements of a row. */
    readonly width: number,
    private readonly rows: readonly string[],
    private readonly expected: readonly Float32Array[],
  ) {}

  /** @param rows the elements of each row, as clients send them */
  static async open(
    modelsDir: string,
    model: string,
    rows: readonly (readonly number[])[],
  ): Promise<Workload> {
    const folder = `${modelsDir}/${model}`;
    const { preprocess } = JSON.parse(readFileSync(`${folder}/model.json`, 'utf8')) as {
      preprocess?: { scale?: number };
    };
    env.logLevel = 'error';
    const session = await InferenceSession.create(`${folder}/model.onnx`, { intraOpNumThreads: 1 });
    const [input] = session.inputMetadata as InferenceSession.TensorValueMetadata[];
    const [output = ''] = session.outputNames;
    const shape = [1, ...(input?.shape.slice(1).map(Number) ?? [])];
    const expected: Float32Array[] = [];
    for (const row of rows) {
      const data = Float32Array.from(row, (value) => value * (preprocess?.scale ?? 1));
      const result = await session.run({ [input?.name ?? '']: new Tensor('float32', data, shape) });
      expected.push((result[output] as Tensor).data as Float32Array);
    }
    await session.release();
    return new Workload(
      modelsDir,
      model,
      rows[0]?.length ?? 0,
      rows.map((row) => JSON.stringify(row)),
      expected,
    );
  }

  /** The body of message `index`. */
  body(index: number): Buffer {
    return Buffer.from(`{"id":"${index}","data":${this.rows[index % this.rows.length]}}`);
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
