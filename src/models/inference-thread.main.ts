import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { BegunTasks } from './begun-tasks.js';
import { buffersOf, processNow, ThreadAnswer, ThreadRequest } from './inference-thread.js';
import { OnnxSession } from './onnx.session.js';
import { Batch } from './session.js';
import { warmUp } from './warm-up.js';

// Runs in the thread. Telemetry is off: the environment that counts for native code is the process's, where it is
// set before any thread starts.

const BELOW_NORMAL = 5;
const port = parentPort;
if (!port) throw new Error('this file is the body of a worker thread');
// Where both want one CPU, the event loop goes first: its delay is a third of what it is otherwise (p99). On Linux the
// priority is a thread's, elsewhere it would be the process's.
if (process.platform === 'linux') setPriority(BELOW_NORMAL);
const begun = new BegunTasks(workerData as SharedArrayBuffer);
const sessions = new Map<string, OnnxSession>();
let previous: Promise<void> = Promise.resolve();

port.on('message', (request: ThreadRequest & { readonly id: number }) => {
  previous = previous.then(() => answer(request));
});

async function answer(request: ThreadRequest & { readonly id: number }): Promise<void> {
  const { id } = request;
  try {
    begun.add(id);
    // Only after that: a deadline that passes here is either seen now, or passes in a batch that is known to run.
    if (request.task === 'run' && (request.deadline ?? Infinity) <= processNow()) {
      send({ id, isLate: true });
    } else if (request.task === 'run') {
      const value = await sessionOf(request.model).run(request.batch);
      send({ id, value }, value);
    } else {
      send({ id, value: request.task === 'load' ? await load(request) : await end() });
    }
  } catch (error) {
    send({ id, error: (error as Error).message });
  }
}

async function load({ file, maxBatchSize, sample }: ThreadRequest & { task: 'load' }): Promise<unknown> {
  const session = await OnnxSession.load(file);
  await warmUp(session, maxBatchSize, sample);
  sessions.set(file.name, session);
  return session.signature;
}

function sessionOf(model: string): OnnxSession {
  const session = sessions.get(model);
  if (!session) throw new Error(`model '${model}' is not loaded`);
  return session;
}

/** With its port closed, the thread has nothing left to do and ends. */
async function end(): Promise<void> {
  for (const session of sessions.values()) await session.release();
  setImmediate(() => port?.close());
}

function send(message: ThreadAnswer, batch?: Batch): void {
  port?.postMessage(message, batch ? buffersOf(batch) : []);
}
