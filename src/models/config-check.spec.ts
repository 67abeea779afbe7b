import { describe, expect, it } from '@jest/globals';
import { ModelSignature } from '../protocol/rows.js';
import { Datatype, TensorSpec } from '../protocol/tensor.js';
import { checkConfig } from './config-check.js';
import { ModelConfig, modelConfigSchema } from './model-config.js';

type Shape = TensorSpec['shape'];

function problemsOf(json: object, signature: Partial<ModelSignature>): string[] {
  const config: ModelConfig = modelConfigSchema.parse(json);
  const inputs = [tensor('x', ['N', 4])];
  const model = { name: 'm', hasOpenRows: true, mayBatch: true, inputs, outputs: [], ...signature };
  return checkConfig({ name: 'm', version: '1', path: 'm/model.onnx', config }, model);
}

function tensor(name: string, shape: Shape, datatype: Datatype = 'FP32'): TensorSpec {
  return { name, datatype, shape };
}

describe('labels', () => {
  const labels = (count: number) => ({
    labels: Array.from({ length: count }, (_, index) => `label ${index}`),
  });

  it.each<[count: number, shape: Shape, hasOpenRows: boolean]>([
    [10, ['N', 10], true],
    [10, ['N', 10, 1, 1], true],
    [10, ['N', 'classes'], true],
    [9, ['N', 128, 9], true],
    [10, [1, 10], false],
    [10, ['N', 10], false],
    [1, ['N'], true],
  ])('%d fit an output of shape %j (batched: %j)', (count, shape, hasOpenRows) => {
    expect(problemsOf(labels(count), { outputs: [tensor('scores', shape)], hasOpenRows })).toEqual([]);
  });

  it.each<[count: number, shape: Shape, hasOpenRows: boolean]>([
    [3, ['N', 10], true],
    [11, ['N', 10], true],
    [20, ['N', 10], true],
    [3, [1, 10], false],
    [3, ['N', 10], false],
    [2, ['N'], true],
  ])('%d do not fit an output of shape %j (batched: %j)', (count, shape, hasOpenRows) => {
    const [problem, ...others] = problemsOf(labels(count), {
      outputs: [tensor('scores', shape)],
      hasOpenRows,
    });
    expect(problem).toContain(`model 'm': model.json: labels: there are ${count}, and output scores FP32[`);
    expect(problem).toMatch(/has \d+ classes$/);
    expect(others).toEqual([]);
  });

  it('are for the first floating-point output', () => {
    const outputs = [
      tensor('label', ['N'], 'INT64'),
      tensor('scores', ['N', 3], 'FP64'),
      tensor('z', ['N', 9]),
    ];
    expect(problemsOf(labels(3), { outputs })).toEqual([]);
    expect(problemsOf(labels(9), { outputs })).toEqual([expect.stringContaining('scores FP64[N, 3] has 3')]);
  });

  it('are refused where there is no floating-point output', () => {
    const outputs = [tensor('label', ['N'], 'INT64')];
    expect(problemsOf(labels(3), { outputs })).toEqual([
      "model 'm': model.json: labels: they name the classes of a floating-point output, and the model has none " +
        '(label INT64[N]); leave them out',
    ]);
  });
});

describe.each(['scale', 'mean', 'std'])('preprocess.%s', (key) => {
  const list = (count: number) => ({
    preprocess: { [key]: Array.from({ length: count }, (_, index) => index + 1) },
  });

  it.each<[count: number, shape: Shape]>([
    [1, ['N', 3, 224, 224]],
    [3, ['N', 224, 224, 3]],
    [3, ['N', 'H', 'W', 3]],
    [3, ['N', 3, 3, 3]],
    [4, ['N', 4]],
    [4, ['N', 8]],
    [3, ['N', 5, 6]],
    [3, ['N', 'length']],
    [3, ['N', 'C', 'H', 'W']],
  ])('takes a list of %d for an input of shape %j', (count, shape) => {
    expect(problemsOf(list(count), { inputs: [tensor('x', shape)] })).toEqual([]);
  });

  it.each<[count: number, shape: Shape]>([
    [3, ['N', 3, 224, 224]],
    [3, ['N', 3, 225, 225]],
    [3, ['N', 3, 'H', 'W']],
    [3, ['N', 3, 6]],
    [3, [1, 3, 6, 6]],
    [3, ['N', 4, 6, 9]],
    [3, ['N', 'C', 6, 9]],
    [2, ['N', 1, 28, 28]],
    [3, ['N', 64]],
    [8, ['N', 4]],
    [2, ['N']],
  ])('takes no list of %d for an input of shape %j', (count, shape) => {
    const hasOpenRows = typeof shape[0] === 'string';
    const [problem, ...others] = problemsOf(list(count), { inputs: [tensor('x', shape)], hasOpenRows });
    expect(problem).toContain(
      `model 'm': model.json: preprocess.${key}: its ${count} numbers repeat along the last`,
    );
    expect(problem).toContain(`input x FP32[${shape.join(', ')}]`);
    expect(others).toEqual([]);
  });

  it('takes a number for any floating-point input, also beside others', () => {
    const inputs = [tensor('ids', ['N', 5], 'INT64'), tensor('x', ['N', 3, 7, 7])];
    expect(problemsOf({ preprocess: { [key]: 2 } }, { inputs })).toEqual([]);
  });

  it('holds a list against each floating-point input, and no other', () => {
    const inputs = [tensor('ids', ['N', 5], 'INT64'), tensor('a', ['N', 4]), tensor('b', ['N', 6], 'FP64')];
    expect(problemsOf(list(4), { inputs })).toEqual([expect.stringContaining('input b FP64[N, 6]')]);
  });

  it('is refused where no input is floating-point', () => {
    const inputs = [tensor('ids', ['N', 5], 'INT64')];
    expect(problemsOf({ preprocess: { [key]: 2 } }, { inputs })).toEqual([
      expect.stringMatching(new RegExp(`preprocess.${key}: .*the model has none \\(ids INT64\\[N, 5\\]\\)`)),
    ]);
  });
});
