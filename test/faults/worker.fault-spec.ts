import { readTestSet } from '../../src/cli/test-set.js';
import { eventually } from '../support/eventually.js';
import { POISONABLE, poisoned } from '../support/poison.js';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';

/** With the queue's delivery limit of 5: one less, so that the worker and not the broker gives the message up. */
const MOST_CRASHES = 4;
const ACKS_HELD = 500;

fault(1, 'the worker is killed', {
  endsWorker: true,
  inject: (lab) => lab.worker.stop('SIGKILL'),
  heal: nextConsumes,
});

fault(2, 'the worker is killed while the acks of confirmed results are on the way', {
  isProxied: true,
  endsWorker: true,
  breaks: 2, // beside what is in flight, all that the acks were held of
  inject: async (lab) => {
    await atRest(lab);
    const before = lab.load.ledger.counts();
    lab.proxy.hold('onnxmq consume');
    lab.load.resume();
    await lab.load.answered(before.ok + ACKS_HELD);
    await lab.load.pause();
    lab.figures['acks held'] = lab.load.ledger.counts().attempt - before.attempt;
    await lab.worker.stop('SIGKILL');
  },
  heal: async (lab) => {
    await nextConsumes(lab);
    lab.load.resume();
  },
  check: (lab) => {
    const { duplicated } = lab.load.ledger.counts();
    const held = lab.figures['acks held'];
    lab.expect(duplicated === held, `I2: ${held} acks were held back, and ${duplicated} answers came twice`);
  },
});

fault(3, 'a message kills each worker that runs it', {
  env: POISONABLE,
  endsWorker: true,
  breaks: MOST_CRASHES,
  inject: async ({ load, supervisor, figures }) => {
    const body = Buffer.from(JSON.stringify({ data: poisoned(readTestSet().images[0]) }));
    void load.send({ id: 'poison', image: 0, body, isGuilty: true });
    await load.ledger.changes.until(() => load.ledger.isSettled('poison'));
    figures['crashes'] = supervisor.crashes;
  },
  check: (lab) => {
    const { dead, error } = lab.load.ledger.counts();
    lab.expect(
      dead === 1 && error === 1,
      `I3: of one message that kills, ${dead} are dead, ${error} refused`,
    );
    const { crashes } = lab.supervisor;
    lab.expect(
      crashes <= MOST_CRASHES,
      `I3: it took ${crashes} crashes to find it, at most ${MOST_CRASHES} may`,
    );
  },
});

fault(4, 'the worker gets SIGTERM', {
  endsWorker: true,
  breaks: 0,
  inject: async (lab) => {
    const askedAt = performance.now();
    lab.expect((await lab.worker.stop('SIGTERM')) === 0, 'it ends with exit code 0');
    lab.figures['drain ms'] = performance.now() - askedAt;
  },
  heal: nextConsumes,
});

async function nextConsumes({ supervisor }: FaultLab): Promise<void> {
  await (await supervisor.started(2)).consuming();
}

/** Nothing is asked any more, and the broker has all acks. What it says about that comes some seconds later. */
async function atRest({ load, broker, queue }: FaultLab): Promise<void> {
  await load.pause();
  await eventually(
    () => broker.queue(queue),
    (state) => state?.ready === 0 && state.unacknowledged === 0,
  );
}
