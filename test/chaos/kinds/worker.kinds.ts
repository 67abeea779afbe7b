import { existsSync } from 'node:fs';
import { PROJECT_FOLDER } from '../../../src/cli/test-set.js';
import { type WorkerProcess } from '../../../src/cli/worker-process.js';
import { FaultLab } from '../../faults/fault-lab.js';
import { Supervisor } from '../../faults/supervisor.js';
import { FaultKind } from '../fault-kind.js';
import { PlannedFault } from '../schedule.js';

/** Makes a worker abort in the model's run when an input holds the marker; loaded into each by `POISON_ENV`. */
const HOOK = `${PROJECT_FOLDER}test/support/hooks/poison.js`;
const MARKER = 987_654;
const ROW_LENGTH = 64;

const hasHook = existsSync(HOOK);
/** What workers are told so that poison works on them. */
export const POISON_ENV: Readonly<Record<string, string>> = hasHook
  ? {
      NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${HOOK}`.trim(),
      POISON_MARKER: String(MARKER),
    }
  : {};

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
    breaks: 10, // until it is found
    workerEnds: 10,
    isPossible: () => hasHook,
    inject: async (lab, { number }) => {
      const body = Buffer.from(JSON.stringify({ data: Array.from({ length: ROW_LENGTH }, () => MARKER) }));
      await lab.load.send({ id: `poison.${number}`, image: -1, body, isGuilty: true });
    },
  },
];

function workerOf(lab: FaultLab, { worker }: PlannedFault): WorkerProcess {
  return (lab.supervisors[worker] as Supervisor).worker;
}
