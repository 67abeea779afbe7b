import { readTestSet } from '../../../src/cli/test-set.js';
import { type WorkerProcess } from '../../../src/cli/worker-process.js';
import { FaultLab } from '../../faults/fault-lab.js';
import { seededRandom } from '../../faults/load/random.js';
import { Supervisor } from '../../faults/supervisor.js';
import { poisoned } from '../../support/poison.js';
import { FaultKind } from '../fault-kind.js';
import { PlannedFault } from '../schedule.js';

/** A request is told from its neighbours after four crashes at most, and given up after five. */
const POISON_ENDS = 5;

export const WORKER_KINDS: readonly FaultKind[] = [
  {
    name: 'worker-kill',
    about: 'a worker gets SIGKILL',
    breaks: 1,
    workerEnds: 1,
    inject: (lab, fault) => workerOf(lab, fault).stop('SIGKILL'),
  },
  {
    name: 'worker-term',
    about: 'a worker gets SIGTERM and is replaced',
    breaks: 0,
    workerEnds: 1,
    inject: async (lab, fault) => {
      const code = await workerOf(lab, fault).stop('SIGTERM');
      lab.expect(code === 0, `fault ${fault.number}: upon SIGTERM a worker ended with ${code} instead of 0`);
    },
  },
  {
    name: 'worker-stop',
    about: 'a worker is stopped where it is (SIGSTOP)',
    lastsMs: [1_000, 30_000],
    breaks: 1,
    inject: async (lab, fault) => {
      await lab.watches[fault.worker]?.pause(); // it cannot answer its probes
      process.kill(workerOf(lab, fault).pid, 'SIGSTOP');
    },
    heal: (lab, fault) => {
      process.kill(workerOf(lab, fault).pid, 'SIGCONT');
      lab.watches[fault.worker]?.resume();
    },
  },
  {
    name: 'worker-poison',
    about: 'a request comes that aborts the process of whoever runs it',
    breaks: POISON_ENDS,
    workerEnds: POISON_ENDS,
    inject: async (lab, { number, seed }) => {
      const { images } = readTestSet();
      const data = poisoned(images[seededRandom(seed)(images.length)]);
      const body = Buffer.from(JSON.stringify({ data }));
      await lab.load.send({ id: `poison.${number}`, image: -1, body, isGuilty: true });
      await lab.load.ledger.changes.until(() => lab.load.ledger.isSettled(`poison.${number}`));
    },
  },
];

function workerOf(lab: FaultLab, { worker }: PlannedFault): WorkerProcess {
  return (lab.supervisors[worker] as Supervisor).worker;
}
