import { describe, expect, it } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { writeOnnx } from './onnx-writer.js';

describe('writeOnnx', () => {
  it('writes a model that ONNX Runtime loads, with an open batch dimension', async () => {
    const model = writeOnnx({
      input: { name: 'x', dims: [2] },
      output: { name: 'z', dims: [1] },
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w'], output: 'y' },
        { op: 'ReduceMean', inputs: ['y'], output: 'z', attributes: { axes: [1], keepdims: 1 } },
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
});
