import { readTestSet } from '../../src/cli/test-set.js';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';
import { HOOKS } from './hooks/hooks.js';

const image = readTestSet().images[0] as number[];
const WIDE_REQUESTS = 150;
/** In hand a message of many rows takes three times its bytes. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const PREFETCH = 64;

fault(26, 'the event loop stands still for less than two heartbeats', {
  breaks: 0,
  stallsWorker: true,
  env: { ...HOOKS.stall, STALL_MS: '9000' },
  inject: stalled,
  check: (lab) => lab.expect(!hasLostConnection(lab), 'the connection lasts'),
});

fault(26, 'the event loop stands still until the broker gives the worker up', {
  stallsWorker: true,
  readiness: 'drops',
  env: { ...HOOKS.stall, STALL_MS: '35000' },
  inject: async (lab) => {
    await stalled(lab);
    const overAt = performance.now();
    await lab.worker.log(({ msg }) => msg.startsWith('consume: connection lost'));
    lab.figures['noticed after ms'] = performance.now() - overAt;
  },
  check: (lab) => lab.expect(hasLostConnection(lab), 'the broker gives up a worker that says nothing'),
});

fault(27, 'the worker has 512 MB, and gets the largest messages that it takes, as many as it takes', {
  breaks: 0,
  memoryLimitMb: 512,
  env: { MAX_MESSAGE_BYTES: String(MAX_MESSAGE_BYTES), PREFETCH: String(PREFETCH) },
  inHand: PREFETCH,
  inject: async (lab) => {
    const requests = Array.from({ length: WIDE_REQUESTS }, (_, index) => wideRequest(index));
    await lab.load.send(...requests);
    const { ledger } = lab.load;
    await ledger.changes.until(() => requests.every(({ id }) => ledger.isSettled(id)));
  },
  check: (lab) => {
    noteMemory(lab);
    lab.figures['most in hand'] = lab.watches[0]?.maxInHand ?? NaN;
    lab.expect(lab.figures['most in hand'] === PREFETCH, 'as many as it takes are in hand');
    lab.expect(lab.memory?.oomKills === 0, 'no worker is killed for want of memory');
  },
});

fault(27, 'the worker is killed for want of memory', {
  memoryLimitMb: 512,
  maxRssMb: Infinity,
  endsWorker: true,
  env: HOOKS.leak,
  inject: async (lab) => {
    const { worker } = lab;
    process.kill(worker.pid, 'SIGUSR2');
    lab.expect((await worker.ended()) === null, 'it is killed');
    await (await lab.supervisor.started(2)).consuming();
  },
  check: (lab) => {
    noteMemory(lab);
    lab.expect(lab.memory?.oomKills === 1, 'one worker is killed, once');
  },
});

async function stalled(lab: FaultLab): Promise<void> {
  process.kill(lab.worker.pid, 'SIGUSR2');
  await lab.worker.log(({ msg }) => msg === 'the stall is over');
}

function hasLostConnection({ supervisor }: FaultLab): boolean {
  return supervisor.logs.some(({ msg }) => msg.includes('connection lost'));
}

/** As many rows as just go into the largest message. */
function wideRequest(index: number) {
  const row = JSON.stringify(image).slice(1, -1);
  const rows = Math.floor((MAX_MESSAGE_BYTES - 100) / (row.length + 1));
  const data = Array.from({ length: rows }, () => row).join();
  const body = `{"inputs":[{"name":"image","datatype":"FP32","shape":[${rows},64],"data":[${data}]}]}`;
  return { id: `wide${index}`, image: 0, body: Buffer.from(body) };
}

function noteMemory({ memory, figures }: FaultLab): void {
  figures['peak of the group in MB'] = memory?.peakMb ?? NaN;
  figures['headroom %'] = memory?.headroomPercent ?? NaN;
  figures['killed for want of memory'] = memory?.oomKills ?? NaN;
}
