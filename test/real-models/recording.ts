import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A tensor in bytes, little-endian. */
export interface BinaryTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

/** A request, and what ONNX Runtime for Python gave for it alone. */
export interface Exchange {
  readonly inputs: readonly BinaryTensor[];
  readonly outputs: readonly BinaryTensor[];
}

type RecordedTensor = Omit<BinaryTensor, 'bytes'> & { readonly bytes: number };
type RecordedExchange = Readonly<Record<keyof Exchange, readonly RecordedTensor[]>>;

/** What record.py has written about one model. */
export function readRecording(folder: string): Exchange[] {
  const exchanges = JSON.parse(readFileSync(join(folder, 'recording.json'), 'utf8')) as RecordedExchange[];
  const binary = readFileSync(join(folder, 'recording.bin'));
  let at = 0;
  const read = (tensor: RecordedTensor): BinaryTensor => {
    const bytes = binary.subarray(at, at + tensor.bytes);
    at += tensor.bytes;
    return { ...tensor, bytes };
  };
  return exchanges.map(({ inputs, outputs }) => ({ inputs: inputs.map(read), outputs: outputs.map(read) }));
}
