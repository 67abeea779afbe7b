// Loaded into a worker by NODE_OPTIONS=--import: what ONNX Runtime refuses, it refuses for want of memory, which may pass.
import { InferenceSession } from 'onnxruntime-node';

const { run } = InferenceSession.prototype;
InferenceSession.prototype.run = function (...args) {
  return run.apply(this, args).catch(() => {
    throw new Error('Failed to allocate memory for requested buffer of size 99');
  });
};
