import { untilProbe } from '../support/probes.js';
import { nth } from '../support/stage.js';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';

// What is in a queue goes with it, by the will of whoever deletes it: so there is nothing in it.

fault(16, 'the request queue is deleted while it is empty, and the worker may declare it', {
  inject: async (lab) => {
    await deleteEmptyQueue(lab);
    await consumesAgain(lab);
  },
});

fault(16, 'the request queue is deleted while it is empty, and the worker may not declare it', {
  env: { TOPOLOGY: 'check' },
  readiness: 'drops',
  channelError: 'not_found',
  prepare: (lab) => lab.declareQueues(),
  inject: async (lab) => {
    const deletedAt = performance.now();
    await deleteEmptyQueue(lab);
    await untilProbe(lab.worker, 'ready', 503);
    await lab.worker.log(
      ({ level, msg }) => level === 'error' && msg.includes(`'${lab.queue}' does not exist`),
    );
    lab.figures['said so after ms'] = performance.now() - deletedAt;
  },
  heal: async (lab) => {
    await lab.declareQueues();
    await consumesAgain(lab);
  },
});

/** The load goes on at once: what it asks before there is a queue again is returned to it. */
async function deleteEmptyQueue({ load, broker, queue }: FaultLab): Promise<void> {
  await load.pause();
  await broker.deleteQueue(queue);
  load.resume();
}

async function consumesAgain({ worker, figures }: FaultLab): Promise<void> {
  const startedAt = performance.now();
  await worker.log(nth(2, ({ msg }) => msg.startsWith('consuming from')));
  figures['consumes again after ms'] = performance.now() - startedAt;
}
