import '../config/no-telemetry.js';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { ModelSignature, Row, RowOutput } from '../protocol/rows.js';
import {
  allocate,
  copyInto,
  Datatype,
  elementCount,
  slice,
  TensorData,
  TensorSpec,
} from '../protocol/tensor.js';
import { ModelFile } from './model.repository.js';

env.logLevel = 'error';

const DATATYPES: Readonly<Record<string, Datatype>> = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
};
const ORT_TYPES = Object.fromEntries(Object.entries(DATATYPES).map(([type, datatype]) => [datatype, type]));

/** A loaded model. Runs one batch at a time, on the thread that calls it. */
export class OnnxSession {
  private constructor(
    private readonly session: InferenceSession,
    readonly signature: ModelSignature,
  ) {}

  /** @throws Error with ONNX Runtime's reason, or the input or output that cannot be served */
  static async load({ name, path, config }: ModelFile): Promise<OnnxSession> {
    const session = await InferenceSession.create(path, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      enableMemPattern: false, // batch sizes vary: patterns would be kept for each
      ...config.session,
    });
    const inputs = tensorSpecs('input', session.inputMetadata);
    const outputs = tensorSpecs('output', session.outputMetadata);
    const isBatched = [...inputs, ...outputs].every(({ shape }) => typeof shape[0] === 'string');
    return new OnnxSession(session, { name, inputs, outputs, isBatched });
  }

  /**
   * Runs the rows as one batch. All must have the same dimensions; a model without a batch dimension takes one.
   *
   * @returns one output a row, in the order of the rows
   * @throws Error with ONNX Runtime's reason; then no row has an output
   */
  async run(rows: readonly Row[]): Promise<RowOutput[]> {
    const { inputs, outputs, isBatched } = this.signature;
    const feeds = Object.fromEntries(
      inputs.map((spec, index) => [spec.name, this.batchTensor(spec, index, rows)]),
    );
    const results = await this.session.run(
      feeds,
      outputs.map(({ name }) => name),
    );
    const tensors = outputs.map(({ name }) => {
      const { data, dims } = results[name] as Tensor;
      if (isBatched && dims[0] !== rows.length)
        throw new Error(`output '${name}' has ${dims[0]} rows for a batch of ${rows.length}`);
      return { data, dims: isBatched ? dims.slice(1) : dims };
    });
    const dims = tensors.map((tensor) => tensor.dims);
    return rows.map((_, row) => ({
      dims,
      tensors: tensors.map(({ data }) => {
        const width = data.length / rows.length;
        return rows.length === 1 ? data : slice(data, row * width, (row + 1) * width);
      }),
    }));
  }

  /**
   * Runs every batch size that is a power of two, and the largest, on zeros, so that no request pays for first
   * runs. A model whose inputs have open dimensions besides the batch is not run: any guess may be wrong.
   *
   * @returns how long a run of the largest batch takes, in ms
   * @throws Error when the model fails on zeros
   */
  async warmUp(maxBatchSize: number): Promise<number | undefined> {
    const rowShapes = this.signature.inputs.map(({ shape }) =>
      this.signature.isBatched ? shape.slice(1) : shape,
    );
    if (rowShapes.flat().some((dim) => typeof dim === 'string')) return undefined;
    const dims = rowShapes as number[][];
    const row = {
      dims,
      tensors: this.signature.inputs.map((spec, i) => allocate(spec.datatype, elementCount(dims[i] ?? []))),
    };
    let lastMs = 0;
    for (let size = 1; ; size = Math.min(size * 2, maxBatchSize)) {
      const startedAt = performance.now();
      await this.run(Array.from({ length: size }, () => row));
      lastMs = performance.now() - startedAt;
      if (size === maxBatchSize) return lastMs;
    }
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  private batchTensor(spec: TensorSpec, index: number, rows: readonly Row[]): Tensor {
    const { tensors, dims } = rows[0] as Row;
    const rowDims = dims[index] as readonly number[];
    const single = tensors[index] as TensorData;
    if (!this.signature.isBatched) return toTensor(spec, single, rowDims);
    const width = elementCount(rowDims);
    const data = rows.length === 1 ? single : allocate(spec.datatype, width * rows.length);
    if (rows.length > 1)
      for (let row = 0; row < rows.length; row++)
        copyInto(data, rows[row]?.tensors[index] as TensorData, row * width);
    return toTensor(spec, data, [rows.length, ...rowDims]);
  }
}

function toTensor(spec: TensorSpec, data: TensorData, dims: readonly number[]): Tensor {
  return new Tensor(ORT_TYPES[spec.datatype] as 'float32', data as Float32Array, dims);
}

function tensorSpecs(kind: string, metadata: readonly InferenceSession.ValueMetadata[]): TensorSpec[] {
  return metadata.map((value) => {
    if (!value.isTensor)
      throw new Error(`${kind} '${value.name}' is no tensor; export the model with tensors only`);
    const datatype = DATATYPES[value.type];
    if (!datatype) throw new Error(`${kind} '${value.name}' is ${value.type}, which is not served`);
    return { name: value.name, datatype, shape: value.shape };
  });
}
