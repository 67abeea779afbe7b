import { FaultLab } from '../../faults/fault-lab.js';
import { seededRandom } from '../../faults/load/random.js';
import { Direction, TcpProxy } from '../../support/tcp-proxy.js';
import { FaultKind } from '../fault-kind.js';
import { PlannedFault } from '../schedule.js';

const DIRECTIONS: readonly Direction[] = ['both', 'toBroker', 'toWorker'];

/** What networks do, to one worker or to all of them. */
export const NETWORK_KINDS: readonly FaultKind[] = [
  {
    name: 'link-fin',
    about: 'connections are cut by FIN',
    breaks: 1,
    inject: (lab, fault) => {
      for (const link of linksOf(lab, fault)) link.cut('FIN');
    },
  },
  {
    name: 'link-rst',
    about: 'connections are cut by RST',
    breaks: 1,
    inject: (lab, fault) => {
      for (const link of linksOf(lab, fault)) link.cut('RST');
    },
  },
  {
    name: 'link-refused',
    about: 'connections are cut, and new ones are refused',
    lastsMs: [1_000, 20_000],
    breaks: 1,
    inject: (lab, fault) => Promise.all(linksOf(lab, fault).map((link) => link.refuse())),
    heal: (lab, fault) => Promise.all(linksOf(lab, fault).map((link) => link.admit())),
  },
  {
    name: 'link-black-hole',
    about: 'all bytes are lost, one way or both',
    lastsMs: [1_000, 40_000],
    breaks: 2, // the heartbeats' end, and the cut in the end
    inject: (lab, fault) => {
      for (const link of linksOf(lab, fault)) link.blackHole(DIRECTIONS[seededRandom(fault.seed + 1)(3)]);
    },
    heal: (lab, fault) => {
      for (const link of linksOf(lab, fault)) link.endBlackHole();
    },
  },
  {
    name: 'link-delay',
    about: 'each byte comes 50 to 500 ms later',
    lastsMs: [3_000, 30_000],
    breaks: 0,
    inject: (lab, fault) => {
      const delayMs = 50 + seededRandom(fault.seed + 1)(451);
      for (const link of linksOf(lab, fault)) link.slow({ delayMs });
    },
    heal: makeFast,
  },
  {
    name: 'link-throttle',
    about: 'only 10 to 100 kB a second get through',
    lastsMs: [3_000, 30_000],
    breaks: 1, // heartbeats may come too late
    inject: (lab, fault) => {
      const bytesPerS = 10_000 + seededRandom(fault.seed + 1)(90_001);
      for (const link of linksOf(lab, fault)) link.slow({ bytesPerS });
    },
    heal: makeFast,
  },
];

function makeFast(lab: FaultLab, fault: PlannedFault): void {
  for (const link of linksOf(lab, fault)) link.slow({});
}

/** Those of one worker, or every other time those of all. */
function linksOf(lab: FaultLab, { worker, seed }: PlannedFault): readonly TcpProxy[] {
  const isForAll = seededRandom(seed)(2) === 0;
  return isForAll ? lab.supervisors.flatMap((_, index) => lab.linksOf(index)) : lab.linksOf(worker);
}
