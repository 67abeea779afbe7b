/** The limit of what is compute-bound: runs one batch over and over and does nothing else, then says how many rows it ran. */
import { env, InferenceSession, Tensor } from 'onnxruntime-node';

const { MODELS_DIR = '', DEFAULT_MODEL = '', BATCH_MAX_SIZE, SECONDS } = process.env;
const batchSize = Number(BATCH_MAX_SIZE);
env.logLevel = 'error';
const session = await InferenceSession.create(`${MODELS_DIR}/${DEFAULT_MODEL}/model.onnx`, {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const [input] = session.inputMetadata as InferenceSession.TensorValueMetadata[];
const dims = [batchSize, ...(input?.shape.slice(1).map(Number) ?? [])];
const size = dims.reduce((product, dim) => product * dim, 1);
const feeds = {
  [input?.name ?? '']: new Tensor('float32', Float32Array.from({ length: size }, Math.random), dims),
};

await session.run(feeds);
const startedAt = performance.now();
const cpuAtStart = process.cpuUsage();
let batches = 0;
let elapsedMs = 0;
while (elapsedMs < Number(SECONDS) * 1000) {
  await session.run(feeds);
  batches++;
  elapsedMs = performance.now() - startedAt;
}
const { user, system } = process.cpuUsage(cpuAtStart);
console.log(JSON.stringify({ batches, rows: batches * batchSize, elapsedMs, cpuUs: user + system }));
