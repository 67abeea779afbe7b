import { describe, ModelSignature } from '../protocol/rows.js';
import { elementCount, isFixed, TensorSpec } from '../protocol/tensor.js';
import { ModelFile } from './model.repository.js';

/**
 * What in a `model.json` does not fit the model: labels of another count than there are classes, and numbers of
 * preprocessing that would be applied to the wrong elements. A dimension that the model leaves open cannot be checked.
 *
 * @returns one line for each problem: model, key, both values
 */
export function checkConfig({ name, config }: ModelFile, signature: ModelSignature): string[] {
  const problems = [...labelProblems(config.labels, signature)];
  for (const key of ['scale', 'mean', 'std'] as const)
    problems.push(...elementProblems(`preprocess.${key}`, config.preprocess[key], signature));
  return problems.map((problem) => `model '${name}': model.json: ${problem}`);
}

function labelProblems(
  labels: readonly string[] | undefined,
  { outputs, hasOpenRows }: ModelSignature,
): string[] {
  if (!labels) return [];
  const scores = outputs.find(isFloat);
  if (!scores)
    return [
      `labels: they name the classes of a floating-point output, and the model has none (${describeAll(outputs)}); leave them out`,
    ];
  const row = rowShape(scores, hasOpenRows);
  const classes = elementCount(row.filter((dim) => typeof dim === 'number'));
  if (row.at(-1) === labels.length) return []; // of each step or place: then the answers have none
  const fits = isFixed(row) ? labels.length === classes : labels.length % classes === 0;
  return fits
    ? []
    : [`labels: there are ${labels.length}, and output ${describe(scores)} has ${classes} classes`];
}

function elementProblems(
  key: string,
  values: number | readonly number[] | undefined,
  { inputs, hasOpenRows }: ModelSignature,
): string[] {
  if (values === undefined) return [];
  const floats = inputs.filter(isFloat);
  if (floats.length === 0)
    return [
      `${key}: it applies to floating-point inputs, and the model has none (${describeAll(inputs)}); leave it out`,
    ];
  const count = typeof values === 'number' ? 1 : values.length;
  if (count === 1) return []; // as a number
  return floats
    .filter((input) => !fitsLastDimension(count, input, hasOpenRows))
    .map(
      (input) =>
        `${key}: its ${count} numbers repeat along the last dimension, which does not fit input ${describe(input)}; ` +
        `give one number, or a model whose last dimension is the ${count} channels`,
    );
}

/**
 * Other dimensions of as many elements say that the list was meant for them, such as the channels of `[N, 3, H, W]`. Along
 * the width of an image no list repeats.
 */
function fitsLastDimension(count: number, input: TensorSpec, hasOpenRows: boolean): boolean {
  const last = rowShape(input, hasOpenRows).at(-1);
  if (last === undefined) return false; // a row is one element
  if (last === count) return true;
  const rank = input.shape.length;
  if (rank >= 3 && input.shape.includes(count)) return false;
  return typeof last === 'string' || (rank < 4 && last % count === 0);
}

function rowShape({ shape }: TensorSpec, hasOpenRows: boolean): TensorSpec['shape'] {
  return hasOpenRows ? shape.slice(1) : shape;
}

function isFloat({ datatype }: TensorSpec): boolean {
  return datatype === 'FP32' || datatype === 'FP64';
}

function describeAll(specs: readonly TensorSpec[]): string {
  return specs.map(describe).join(', ');
}
