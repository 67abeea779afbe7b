import { describe, expect, it } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { writeOnnx } from './onnx-writer.js';

describe('writeOnnx', () => {
  it('writes a model that ONNX Runtime loads, with an open batch dimension', async () => {
    const model = writeOnnx({
      inputs: [{ name: 'x', shape: ['batch', 2] }],
      outputs: [{ name: 'z', shape: ['batch', 1] }],
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] },
        { op: 'ReduceMean', inputs: ['y'], outputs: ['z'], attributes: { axes: [1], keepdims: 1 } },
      ],
      weights: [{ name: 'w', dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
    });
    const session = await InferenceSession.create(model);
    const { z } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 1, 2, 0), [2, 2]) });
    expect(z?.dims).toEqual([2, 1]);
    expect(Array.from(z?.data as Float32Array)).toEqual([5, 3]);
    expect(session.inputMetadata[0]).toMatchObject({ name: 'x', shape: ['batch', 2] });
    await session.release();
  });

  it('writes integers, and attributes below zero', async () => {
    const model = writeOnnx({
      inputs: [{ name: 'x', datatype: 'INT64', shape: [2, 'n'] }],
      outputs: [{ name: 'y', datatype: 'INT64', shape: ['any', 2] }],
      nodes: [{ op: 'Gather', inputs: ['x', 'last'], outputs: ['y'], attributes: { axis: -1 } }],
      weights: [{ name: 'last', datatype: 'INT64', dims: [2], data: BigInt64Array.of(-1n, 0n) }],
    });
    const session = await InferenceSession.create(model);
    const { y } = await session.run({
      x: new Tensor('int64', BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n), [2, 3]),
    });
    expect(Array.from(y?.data as BigInt64Array)).toEqual([3n, 1n, 6n, 4n]);
    await session.release();
  });
});
