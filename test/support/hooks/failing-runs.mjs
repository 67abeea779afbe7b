// Loaded into a worker by NODE_OPTIONS=--import: as long as the file that OUTAGE_FILE names is there, every run of a
// model fails; OUTAGE_INPUT, where it is set, names the input of the only model that does.
import { existsSync } from 'node:fs';
import { InferenceSession } from 'onnxruntime-node';

const { run } = InferenceSession.prototype;
const { OUTAGE_FILE, OUTAGE_INPUT } = process.env;
InferenceSession.prototype.run = function (...args) {
  const isMeant = !OUTAGE_INPUT || this.inputNames.includes(OUTAGE_INPUT);
  if (isMeant && existsSync(OUTAGE_FILE)) return Promise.reject(new Error('the disk is gone'));
  return run.apply(this, args);
};
