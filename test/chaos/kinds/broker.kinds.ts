import { BrokerNode } from '../../faults/broker/broker-node.js';
import { FaultLab } from '../../faults/fault-lab.js';
import { FaultKind } from '../fault-kind.js';
import { PlannedFault } from '../schedule.js';

/** What brokers do, or a node of a cluster. */
export const BROKER_KINDS: readonly FaultKind[] = [
  {
    name: 'broker-closes',
    about: 'the broker closes all connections',
    breaks: 1,
    inject: (lab, fault) => nodeOf(lab, fault).closeAllConnections('chaos'),
  },
  {
    name: 'broker-restart',
    about: 'the broker is stopped in order and started again',
    lastsMs: [0, 15_000],
    breaks: 1,
    inject: (lab, fault) => nodeOf(lab, fault).stopApp(),
    heal: (lab, fault) => nodeOf(lab, fault).startApp(),
  },
  {
    name: 'broker-kill',
    about: 'the broker gets SIGKILL and is started again',
    lastsMs: [0, 15_000],
    breaks: 1,
    inject: (lab, fault) => nodeOf(lab, fault).kill(),
    heal: (lab, fault) => nodeOf(lab, fault).start(),
  },
  {
    name: 'broker-freeze',
    about: 'the broker stops where it is, its connections stay open',
    lastsMs: [1_000, 40_000],
    breaks: 2, // the workers' heartbeats end, and those of the broker
    inject: (lab, fault) => nodeOf(lab, fault).freeze(),
    heal: (lab, fault) => nodeOf(lab, fault).thaw(),
  },
  {
    name: 'broker-memory',
    about: 'the broker is short of memory',
    lastsMs: [1_000, 20_000],
    breaks: 0,
    inject: (lab, fault) => nodeOf(lab, fault).startMemoryAlarm(),
    heal: (lab, fault) => nodeOf(lab, fault).endMemoryAlarm(),
  },
  {
    name: 'broker-disk',
    about: "the broker's disk is full",
    lastsMs: [1_000, 20_000],
    breaks: 0,
    inject: (lab, fault) => nodeOf(lab, fault).startDiskAlarm(),
    heal: (lab, fault) => nodeOf(lab, fault).endDiskAlarm(),
  },
  {
    name: 'broker-deaf',
    about: 'the broker closes all connections and takes no new ones',
    lastsMs: [1_000, 20_000],
    breaks: 1,
    inject: async (lab, fault) => {
      await nodeOf(lab, fault).suspendListeners();
      await nodeOf(lab, fault).closeAllConnections('chaos');
    },
    heal: (lab, fault) => nodeOf(lab, fault).resumeListeners(),
  },
  {
    name: 'broker-partition',
    about: 'a node is cut off from the two others',
    lastsMs: [1_000, 30_000],
    breaks: 2, // pausing, and coming back
    isPossible: (nodes) => nodes > 1,
    inject: (lab, fault) => lab.cluster.isolate(nodeOf(lab, fault)),
    heal: (lab, fault) => lab.cluster.heal(nodeOf(lab, fault)),
  },
];

function nodeOf(lab: FaultLab, { node }: PlannedFault): BrokerNode {
  return lab.nodes[node] as BrokerNode;
}
