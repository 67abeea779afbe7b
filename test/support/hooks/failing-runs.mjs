// Loaded into a worker by NODE_OPTIONS=--import: as long as the file that OUTAGE_FILE names is there, every run of a
// model fails, as it does where the machine has no memory left.
import { existsSync } from 'node:fs';
import { InferenceSession } from 'onnxruntime-node';

const { run } = InferenceSession.prototype;
InferenceSession.prototype.run = function (...args) {
  if (existsSync(process.env.OUTAGE_FILE)) return Promise.reject(new Error('no memory left'));
  return run.apply(this, args);
};
