// Loaded into a worker by NODE_OPTIONS=--import: once the file that SLOW_RUN_FILE names is there, the next run of a
// model takes SLOW_RUN_MS longer, as it does where the machine swaps; the file is gone when it begins.
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { InferenceSession } from 'onnxruntime-node';

const { run } = InferenceSession.prototype;
InferenceSession.prototype.run = async function (...args) {
  if (existsSync(process.env.SLOW_RUN_FILE)) {
    rmSync(process.env.SLOW_RUN_FILE);
    await delay(Number(process.env.SLOW_RUN_MS));
  }
  return run.apply(this, args);
};
