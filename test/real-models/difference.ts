import { BinaryTensor } from './recording.js';

/**
 * The largest difference of any element, absolute or relative, whichever is less. Integers and booleans are the same or not.
 *
 * @throws Error that says which output has another shape, or other whole numbers
 */
export function maxDifference(given: readonly BinaryTensor[], expected: readonly BinaryTensor[]): number {
  return expected.reduce((most, output) => {
    const same = given.find(({ name }) => name === output.name);
    if (!same) throw new Error(`output '${output.name}' is missing`);
    const [frame, wanted] = [frameOf(same), frameOf(output)];
    if (frame !== wanted) throw new Error(`output '${output.name}' is ${frame} instead of ${wanted}`);
    if (output.datatype === 'FP32')
      return Math.max(most, floatDifference(floatsOf(same.bytes), floatsOf(output.bytes)));
    if (!same.bytes.equals(output.bytes)) throw new Error(`output '${output.name}' has other elements`);
    return most;
  }, 0);
}

function frameOf({ datatype, shape }: BinaryTensor): string {
  return `${datatype}[${shape.join(', ')}]`;
}

/** Copied: floats begin at multiples of four bytes, and these may not. */
function floatsOf(bytes: Buffer): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function floatDifference(some: Float32Array, others: Float32Array): number {
  let most = 0;
  for (let index = 0; index < some.length; index++) {
    const [one, other] = [some[index] as number, others[index] as number];
    if (Object.is(one, other)) continue;
    const difference = Math.abs(one - other) / Math.max(1, Math.abs(one), Math.abs(other));
    most = Math.max(most, Number.isNaN(difference) ? Infinity : difference);
  }
  return most;
}
