import { fault } from './fault.js';
import { FaultLab, IO_WAIT_MS } from './fault-lab.js';

fault(12, 'the network cuts the connections by RST', {
  isProxied: true,
  readiness: 'drops',
  inject: async (lab) => {
    await lab.proxy.refuse();
    await connectionLost(lab);
  },
  heal: (lab) => lab.proxy.admit(),
});

fault(12, 'the network cuts the connections by FIN', {
  isProxied: true,
  inject: async (lab) => {
    lab.proxy.cut('FIN');
    await connectionLost(lab);
  },
});

fault(12, 'the network swallows all bytes', {
  isProxied: true,
  readiness: 'drops',
  inject: async (lab) => {
    lab.proxy.blackHole();
    await connectionLost(lab);
  },
  heal: (lab) => lab.proxy.endBlackHole(),
});

/** In hand at most, so that the round trip and not the machine decides on the rate. */
const PREFETCH = 500;

fault(13, 'each byte takes 100 to 200 ms each way', {
  isProxied: true,
  breaks: 0,
  readiness: 'stays',
  env: { PREFETCH: String(PREFETCH), CONCURRENCY: String(PREFETCH) },
  inject: async (lab) => {
    lab.proxy.slow({ delayMs: 100, jitterMs: 100 });
    await measureRate(lab, 1_500);
    // Until the broker has the ack of a message, two round trips and the I/O wait have gone by.
    lab.figures['prefetch / time in hand, msg/s'] = PREFETCH / (2 * 0.3 + IO_WAIT_MS / 1000);
  },
  heal: (lab) => lab.proxy.slow({}),
});

fault(13, 'the link carries 1 Mbit/s', {
  isProxied: true,
  breaks: 0,
  readiness: 'stays',
  inject: async (lab) => {
    lab.proxy.slow({ bytesPerS: 125_000 });
    await measureRate(lab, 1_500);
  },
  heal: (lab) => lab.proxy.slow({}),
});

/** Resolves when so many more are answered, and notes how many a second that is. */
async function measureRate({ load, figures }: FaultLab, count: number): Promise<void> {
  const startedAt = performance.now();
  await load.answered(load.ledger.ok + count);
  figures['msg/s'] = count / ((performance.now() - startedAt) / 1000);
}

/** Resolves when the worker has noticed, and notes how long that took. */
async function connectionLost(lab: FaultLab): Promise<void> {
  const brokenAt = performance.now();
  await lab.worker.log(({ msg }) => msg.startsWith('consume: connection lost'));
  lab.figures['noticed after ms'] = performance.now() - brokenAt;
}
