/**
 * Tensor datatypes by their Open Inference Protocol (V2) names. `BYTES` elements are strings here; `BOOL`
 * elements are 0 or 1.
 */
export type Datatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

export type NumericData =
  Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
export type BigIntData = BigInt64Array | BigUint64Array;
/** A tensor's elements, flat, in row-major order. */
export type TensorData = NumericData | BigIntData | string[];

/** Name, datatype and shape of a model's input or output. A dimension that the model leaves open is its symbol. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly (number | string)[];
}

interface DatatypeCodec {
  /** What JSON must hold for an element. */
  readonly expects: string;
  allocate(length: number): TensorData;
  /** Writes a JSON value, or returns false when it is not one of this datatype. */
  write(data: TensorData, at: number, value: unknown): boolean;
}

function integerCodec(
  array: new (length: number) => NumericData,
  name: string,
  min: number,
  max: number,
): DatatypeCodec {
  return {
    expects: `${name}: whole numbers from ${min} to ${max}`,
    allocate: (length) => new array(length),
    write(data, at, value) {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) return false;
      (data as NumericData)[at] = value;
      return true;
    },
  };
}

function bigIntegerCodec(
  array: new (length: number) => BigIntData,
  name: string,
  min: bigint,
  max: bigint,
): DatatypeCodec {
  return {
    expects: `${name}: whole numbers from ${min} to ${max}, beyond ±2^53 in plain digits`,
    allocate: (length) => new array(length),
    write(data, at, value) {
      // A JSON number beyond 2^53 has lost digits when it gets here: exact-input.ts reads it again.
      const exact = typeof value === 'number' ? Number.isSafeInteger(value) : isDecimal(value);
      if (!exact) return false;
      const integer = BigInt(value as number | string);
      if (integer < min || integer > max) return false;
      (data as BigIntData)[at] = integer;
      return true;
    },
  };
}

/** Whether a JSON value writes an integer as the 64-bit datatypes take it besides numbers. */
export function isDecimal(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value);
}

function floatCodec(
  array: new (length: number) => Float32Array | Float64Array,
  name: string,
  max: number,
): DatatypeCodec {
  return {
    expects: `${name}: finite numbers, or null for NaN`,
    allocate: (length) => new array(length),
    write(data, at, value) {
      // `<=` is false for NaN; JSON.parse turns 1e999 into Infinity.
      if (value !== null && (typeof value !== 'number' || !(Math.abs(value) <= max))) return false;
      (data as NumericData)[at] = value ?? NaN; // as in answers
      return true;
    },
  };
}

/** The largest number that a 32-bit float holds. */
export const FLOAT32_MAX = (2 - 2 ** -23) * 2 ** 127;

/** How each datatype is allocated and filled. */
export const CODECS: Readonly<Record<Datatype, DatatypeCodec>> = {
  BOOL: {
    expects: 'BOOL: true or false',
    allocate: (length) => new Uint8Array(length),
    write(data, at, value) {
      if (value !== true && value !== false && value !== 0 && value !== 1) return false;
      (data as Uint8Array)[at] = Number(value);
      return true;
    },
  },
  UINT8: integerCodec(Uint8Array, 'UINT8', 0, 255),
  UINT16: integerCodec(Uint16Array, 'UINT16', 0, 65_535),
  UINT32: integerCodec(Uint32Array, 'UINT32', 0, 4_294_967_295),
  UINT64: bigIntegerCodec(BigUint64Array, 'UINT64', 0n, 2n ** 64n - 1n),
  INT8: integerCodec(Int8Array, 'INT8', -128, 127),
  INT16: integerCodec(Int16Array, 'INT16', -32_768, 32_767),
  INT32: integerCodec(Int32Array, 'INT32', -2_147_483_648, 2_147_483_647),
  INT64: bigIntegerCodec(BigInt64Array, 'INT64', -(2n ** 63n), 2n ** 63n - 1n),
  FP32: floatCodec(Float32Array, 'FP32', FLOAT32_MAX),
  FP64: floatCodec(Float64Array, 'FP64', Number.MAX_VALUE),
  BYTES: {
    expects:
      'BYTES: strings without NUL and lone surrogates, which ONNX Runtime does not keep; leave them out',
    allocate: (length) => Array.from({ length }, () => ''),
    write(data, at, value) {
      if (typeof value !== 'string' || !isKept(value)) return false;
      (data as string[])[at] = value;
      return true;
    },
  },
};

/** Whether ONNX Runtime takes all of a text: it ends a string at NUL, and has U+FFFD for half of a surrogate pair. */
function isKept(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text);
}

/** Whether JSON.parse may round elements of a datatype. */
export function is64Bit(datatype: string): boolean {
  return datatype === 'INT64' || datatype === 'UINT64';
}

export function isDatatype(value: unknown): value is Datatype {
  return typeof value === 'string' && Object.hasOwn(CODECS, value);
}

/** A zero-filled tensor (empty strings for `BYTES`) of `length` elements. */
export function allocate(datatype: Datatype, length: number): TensorData {
  return CODECS[datatype].allocate(length);
}

/** Elements `from` to `to` (excluded), without copying where the datatype allows. */
export function slice(data: TensorData, from: number, to: number): TensorData {
  return Array.isArray(data) ? data.slice(from, to) : data.subarray(from, to);
}

/** Copies a tensor's elements `from` to `to` (excluded) into `target` from `offset` on. Both are of one datatype. */
export function copyInto(
  target: TensorData,
  offset: number,
  data: TensorData,
  from: number,
  to: number,
): void {
  if (Array.isArray(target)) {
    for (let at = from; at < to; at++) target[offset + at - from] = data[at] as string;
  } else {
    const isWhole = from === 0 && to === data.length;
    (target as Float32Array).set((isWhole ? data : slice(data, from, to)) as Float32Array, offset);
  }
}

/** True where a shape leaves no dimension open. */
export function isFixed(shape: TensorSpec['shape']): shape is readonly number[] {
  return shape.every((dim) => typeof dim === 'number');
}

/** The number of elements of a shape. */
export function elementCount(dims: readonly number[]): number {
  let count = 1;
  for (const dim of dims) count *= dim;
  return count;
}
