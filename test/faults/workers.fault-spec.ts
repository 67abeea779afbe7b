import { readTestSet } from '../../src/cli/test-set.js';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';
import { HOOKS } from './hooks/hooks.js';
import { LoadRequest } from './load/load-publisher.js';
import { Supervisor } from './supervisor.js';

const TWINS = 100;
/** Neither starves; how fast each is depends on what else the machine does. */
const LEAST_SHARE = 0.1;
const PATIENCE_MS = 10_000;
const body = Buffer.from(JSON.stringify({ data: readTestSet().images[0] }));

fault(28, 'two workers are killed in turn, twice', {
  workers: 2,
  endsWorker: true,
  breaks: 4,
  messages: 6_000,
  inject: async (lab) => {
    for (const life of [1, 2])
      for (const supervisor of lab.supervisors) {
        await supervisor.worker.stop('SIGKILL');
        await (await supervisor.started(life + 1)).consuming();
        await lab.load.answered(lab.load.ledger.ok + 250);
      }
  },
  check: (lab) => {
    const answered = lab.supervisors.map(answeredBy);
    const inAll = answered.reduce((sum, count) => sum + count, 0);
    for (const [index, count] of answered.entries()) {
      lab.figures[`share of worker ${index + 1} in %`] = (100 * count) / inAll;
      lab.expect(count / inAll > LEAST_SHARE, `worker ${index + 1} has its share, and not ${count} of ${inAll}`);
    }
  },
}); // prettier-ignore

/** The policy: each copy is answered where it says, and the answers' message ids are the same, by which to drop one. */
fault(28, 'requests come twice', {
  breaks: 0,
  readiness: 'stays',
  inject: (lab) => lab.load.send(...twins('one'), ...twins('other')),
  check: bothTwinsAnswered,
});

fault(28, 'requests come again when they are answered, and the connection is lost meanwhile', {
  isProxied: true,
  env: { PREPROCESS_IO_DELAY_MS: '1000' },
  maxInFlight: 2_000,
  inject: async (lab) => {
    const { ledger } = lab.load;
    await lab.load.send(...twins('one'));
    await ledger.changes.until(() => twins('one').every(({ id }) => ledger.isSettled(id)));
    await lab.load.send(...twins('other'));
    lab.proxy.cut();
  },
  check: bothTwinsAnswered,
});

/** No request has a `timestamp`, by which its age would be told on two clocks. */
fault(28, 'the clock jumps an hour ahead, and two back', {
  breaks: 0,
  readiness: 'stays',
  env: HOOKS.clockJump,
  requestProperties: { expiration: '60000' },
  inject: async (lab) => {
    await jump(lab, 3_600_000);
    await lab.load.answeredInTime(lab.load.ledger.ok + 500, PATIENCE_MS);
    await jump(lab, -3_600_000);
  },
  check: (lab) => {
    const times = lab.supervisor.logs.flatMap((line) => [line['p50Ms'], line['p99Ms']]).filter(isNumber);
    lab.figures['longest p99 ms'] = Math.max(...times);
    lab.expect(times.length > 0 && times.every((ms) => ms >= 0 && ms < 60_000), 'latencies are told by another clock');
  },
}); // prettier-ignore

function twins(name: 'one' | 'other'): LoadRequest[] {
  return Array.from({ length: TWINS }, (_, index) => ({
    id: `${name}${index}`,
    image: 0,
    body,
    options: { messageId: `twin${index}` },
  }));
}

function bothTwinsAnswered(lab: FaultLab): void {
  for (let index = 0; index < TWINS; index++) {
    const [one, other] = ['one', 'other'].map((name) => lab.load.ledger.outcomesOf(`${name}${index}`));
    const areAnswered = Boolean(one?.results && other?.results);
    lab.expect(areAnswered, `both copies of twin${index} are answered`);
    lab.expect(one?.messageIds[0] === other?.messageIds[0], `both results of twin${index} have one id`);
  }
}

async function jump({ worker }: FaultLab, offsetMs: number): Promise<void> {
  process.kill(worker.pid, 'SIGUSR2');
  await worker.log(({ msg }) => msg === `the clock is off by ${offsetMs} ms`);
}

/** As far as its traffic lines say, which come once a second. */
function answeredBy({ logs }: Supervisor): number {
  return logs.reduce((sum, { context, answered }) => sum + (context === 'Traffic' ? Number(answered) : 0), 0);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
