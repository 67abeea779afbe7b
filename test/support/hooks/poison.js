/* Loaded by NODE_OPTIONS=--import: the process dies in the model's run when an input holds the marker. */
import { InferenceSession } from 'onnxruntime-node';

const MARKER = Number(process.env.POISON_MARKER);
const { run } = InferenceSession.prototype;

InferenceSession.prototype.run = function (feeds, ...others) {
  for (const { data } of Object.values(feeds)) if (data.includes(MARKER)) process.abort();
  return run.call(this, feeds, ...others);
};
