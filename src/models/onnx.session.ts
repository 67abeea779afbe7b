import '../config/no-telemetry.js';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { ModelSignature } from '../protocol/rows.js';
import { Datatype, TensorSpec } from '../protocol/tensor.js';
import { ModelFile } from './model.repository.js';
import { Batch, Session } from './session.js';

env.logLevel = 'fatal'; // its errors are thrown as well; on stderr they would quote the values of requests

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

/** A model loaded on the thread that calls it, which stands still for as long as a run takes. */
export class OnnxSession implements Session {
  readonly parallelism = 1;

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
    const mayBatch = inputs.length > 0 && inputs.every(hasOpenFirst);
    const hasOpenRows = mayBatch && outputs.every(hasOpenFirst);
    return new OnnxSession(session, { name, inputs, outputs, hasOpenRows, mayBatch });
  }

  async run({ tensors, dims }: Batch): Promise<Batch> {
    const { inputs, outputs } = this.signature;
    const feeds = Object.fromEntries(
      inputs.map(({ name, datatype }, input) => [
        name,
        new Tensor(ORT_TYPES[datatype] as 'float32', tensors[input] as Float32Array, dims[input]),
      ]),
    );
    const names = outputs.map(({ name }) => name);
    const results = await this.session.run(feeds, names);
    const given = names.map((name) => results[name] as Tensor);
    return { tensors: given.map(({ data }) => data), dims: given.map((tensor) => tensor.dims) };
  }

  /** Frees the model; it may not run after that. */
  async release(): Promise<void> {
    await this.session.release();
  }
}

function hasOpenFirst({ shape }: TensorSpec): boolean {
  return typeof shape[0] === 'string';
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
