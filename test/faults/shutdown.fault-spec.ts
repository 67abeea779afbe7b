import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { untilProbe } from '../support/probes.js';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';

const DRAIN_TIMEOUT_MS = 3_000;
/** What a broker that no longer answers may cost beyond the drain. */
const CLOSE_TIMEOUT_MS = 5_000;
/** From one start to the next, until one consumes by then. */
const LATER_MS = 100;
const env = { DRAIN_TIMEOUT_MS: String(DRAIN_TIMEOUT_MS) };

fault(5, 'the worker gets SIGTERM while the broker is gone', {
  env,
  endsWorker: true,
  readiness: 'drops',
  inject: async (lab) => {
    await lab.broker.stopApp();
    await untilProbe(lab.worker, 'ready', 503);
    await endsInTime(lab);
  },
  heal: async (lab) => {
    await lab.broker.startApp();
    await nextConsumes(lab);
  },
});

fault(5, 'the worker gets SIGTERM while the broker says nothing', {
  env,
  endsWorker: true,
  readiness: 'drops',
  inject: async (lab) => {
    await lab.broker.freeze();
    await endsInTime(lab);
  },
  heal: async (lab) => {
    await lab.broker.thaw();
    await nextConsumes(lab);
  },
});

fault(6, 'the worker gets SIGTERM a second time while it drains', {
  endsWorker: true,
  breaks: 0,
  inject: async (lab) => {
    const askedAt = performance.now();
    const ended = lab.worker.stop('SIGTERM');
    await lab.worker.log(({ context }) => context === 'Shutdown');
    void lab.worker.stop('SIGTERM');
    lab.expect((await ended) === 0, 'it ends with exit code 0');
    lab.figures['exit ms'] = performance.now() - askedAt;
  },
  heal: nextConsumes,
});

fault(6, 'other workers get SIGTERM while they start, each a little later than the one before', {
  breaks: 0,
  inject: async (lab) => {
    let afterMs = 0;
    while (!(await endsWhileStarting(lab, afterMs))) afterMs += LATER_MS;
    lab.figures['last SIGTERM after ms'] = afterMs;
    // None has left a consumer behind. What the broker says about that comes some seconds later.
    await eventually(
      () => lab.broker.queue(lab.queue),
      (state) => state?.consumers === 1,
    );
  },
  check: (lab) => {
    const errors = lab.launched.map((worker) => worker.errors).join('');
    lab.expect(errors === '', `it wrote to stderr while it started: ${errors.slice(0, 500)}`);
  },
});

/** It has to end by its own time limit, whatever the broker does. */
async function endsInTime(lab: FaultLab): Promise<void> {
  const askedAt = performance.now();
  const code = await lab.worker.stop('SIGTERM');
  const exitMs = performance.now() - askedAt;
  lab.figures['exit ms'] = exitMs;
  lab.expect(code === 0, `it ended with ${code} instead of 0`);
  const limitMs = DRAIN_TIMEOUT_MS + CLOSE_TIMEOUT_MS;
  lab.expect(exitMs <= limitMs, `it took ${exitMs.toFixed(0)} ms to end, at most ${limitMs} may be`);
}

async function nextConsumes({ supervisor }: FaultLab): Promise<void> {
  await (await supervisor.started(2)).consuming();
}

/** Ends a worker after so many ms of its life. @returns true when it consumed by then */
async function endsWhileStarting(lab: FaultLab, afterMs: number): Promise<boolean> {
  const worker = lab.launch();
  await delay(afterMs);
  const hasProbes = worker.logs.some(({ context }) => context === 'Health');
  const isConsuming = worker.logs.some(({ msg }) => msg.startsWith('consuming from'));
  const askedAt = performance.now();
  const code = await worker.stop('SIGTERM');
  const longestMs = lab.figures['longest exit ms'] ?? 0;
  lab.figures['longest exit ms'] = Math.max(longestMs, performance.now() - askedAt);
  // Before its probes are up, it may end by the signal itself.
  const isDefined = code === 0 || (code === null && !hasProbes);
  lab.expect(isDefined, `told to end after ${afterMs} ms, it ended with ${code}: ${worker.logs.at(-1)?.msg}`);
  return isConsuming;
}
