import { readFileSync } from 'node:fs';
import { eventually } from '../support/eventually.js';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';

/** Three heartbeats of 10 s, and what the machine needs to say so. */
const NOTICED_WITHIN_MS = 35_000;
/** Of both connections. */
const ATTEMPTS = 24;
/** So many in a minute would be made without jitter at the shortest: half of 0.2, 0.4, 0.8, 1.6, and then 2.5 s. */
const MOST_ATTEMPTS_PER_MIN = 125;
const MOST_CPU_PERCENT = 50;
/** Of `/proc`, on every Linux. */
const TICK_MS = 10;

fault(10, 'the broker hangs', {
  readiness: 'drops',
  inject: async (lab) => {
    await lab.broker.freeze();
    const frozenAt = performance.now();
    await lab.worker.log(({ msg }) => msg.startsWith('consume: connection lost'));
    const noticedMs = performance.now() - frozenAt;
    lab.figures['noticed after ms'] = noticedMs;
    lab.expect(noticedMs <= NOTICED_WITHIN_MS, `it took ${noticedMs.toFixed(0)} ms to notice`);
  },
  heal: (lab) => lab.broker.thaw(),
});

fault(11, 'the broker takes no connections for a while', {
  isProxied: true,
  readiness: 'drops',
  inject: async (lab) => {
    await lab.broker.suspendListeners();
    await lab.broker.closeAllConnections('test');
    await watchReconnecting(lab);
  },
  heal: (lab) => lab.broker.resumeListeners(),
});

/** Lets the worker try in vain, and looks at how hard it tries. */
async function watchReconnecting(lab: FaultLab): Promise<void> {
  const { proxy, worker, figures } = lab;
  const [startedAt, attempts, cpuMs] = [performance.now(), proxy.attempts, cpuMsOf(worker.pid)];
  await eventually(
    () => Promise.resolve(proxy.attempts - attempts),
    (count) => count >= ATTEMPTS,
  );
  const spanMs = performance.now() - startedAt;
  const perMin = ATTEMPTS / (spanMs / 60_000);
  const cpuPercent = (100 * (cpuMsOf(worker.pid) - cpuMs)) / spanMs;
  figures['attempts/min'] = perMin;
  figures['CPU %'] = cpuPercent;
  lab.expect(perMin <= MOST_ATTEMPTS_PER_MIN, `it tried ${perMin.toFixed(0)} times a minute to connect`);
  lab.expect(!(cpuPercent > MOST_CPU_PERCENT), `it took ${cpuPercent.toFixed(0)} % of a CPU to wait`);
}

/** What a process has spent so far, its threads and the system's work for it included; NaN where there is no `/proc`. */
function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return NaN;
  }
}
