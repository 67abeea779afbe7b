/**
 * Goes along in a worker's process (`--import`): measures how long its event loop is kept from turning, from SIGUSR2 on,
 * and says so at the end.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const RESOLUTION_MS = 1;

// It is loaded in each worker thread as well, which may well be kept.
if (isMainThread) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  process.on('SIGUSR2', () => delays.reset());
  process.on('exit', () => {
    // The time between two turns of its timer, so the timer's own is taken off.
    const eventLoopP99Ms = Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION_MS);
    const eventLoopMaxMs = Math.max(0, delays.max / 1e6 - RESOLUTION_MS);
    console.log(JSON.stringify({ eventLoopP99Ms, eventLoopMaxMs }));
  });
}
