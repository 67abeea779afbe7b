/** A request in one form, whatever its wire form was. Its tensors are not yet held against a model. */
export interface InferenceRequest {
  /** The producer's name for the request: body `id`, else `message_id`, else `correlation_id`. */
  readonly id?: string;
  /** The model asked for; none means the default model. */
  readonly model?: string;
  /**
   * What to infer from: named tensors, or the shorthand's one row without a name. {@link SPENT} once it has become
   * rows: requests wait for their I/O by the thousand, and need not hold their numbers twice.
   */
  input: NamedTensors | ShorthandRow;
  /**
   * The JSON that it was decoded from, in which integers have the digits that JSON.parse rounds off. Undefined once it has
   * become rows: it may be a thousand times as long as the compressed body.
   */
  json?: Buffer;
  /** Names of the outputs asked for; none means all. */
  readonly outputs?: readonly string[];
  /** Those of them whose elements are to come as bytes; none means all as JSON. */
  readonly binaryOutputs?: 'all' | readonly string[];
  /** Not to be inferred after this moment, in ms on the clock of `performance.now()`. */
  readonly deadline?: number;
  /** Nest's packet id, where the request came in a Nest packet. */
  readonly packet?: NestPacket;
}

/** V2: `inputs`. */
export interface NamedTensors {
  readonly form: 'tensors';
  readonly tensors: readonly RequestTensor[];
}

/** Shorthand: `data` of one row, flat or nested, without the batch dimension. */
export interface ShorthandRow {
  readonly form: 'row';
  readonly data: unknown;
}

/** The input of a request that has become rows. */
export const SPENT: ShorthandRow = { form: 'row', data: undefined };

export interface RequestTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  /** Flat in row-major order, or nested as `shape` says; or the elements as bytes, in a Buffer. */
  readonly data: unknown;
}

/** The envelope of Nest's `ClientProxy`. `emit` sends no `id`. */
export interface NestPacket {
  readonly id?: string;
}
