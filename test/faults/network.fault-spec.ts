import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';

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

/** Resolves when the worker has noticed, and notes how long that took. */
async function connectionLost(lab: FaultLab): Promise<void> {
  const brokenAt = performance.now();
  await lab.worker.log(({ msg }) => msg.startsWith('consume: connection lost'));
  lab.figures['noticed after ms'] = performance.now() - brokenAt;
}
