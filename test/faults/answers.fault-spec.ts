import { BrokerClient } from '../support/broker-client.js';
import { untilInHand } from '../support/probes.js';
import { readTestSet } from '../../src/cli/test-set.js';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';
import { LoadRequest } from './load/load-publisher.js';

const { images } = readTestSet();
const ORPHANS = 50;
const GARBAGE = 20;
const PREFETCH = 200;
const ROOM = 50;
const VANISHING = 'faults.vanishing';
const FULL = 'faults.full';
/** More than may be in hand: as long as they wait, nobody else is served. */
const UNREAD = 2 * PREFETCH;
/** Longer than it takes to send the orphans, also on a machine that is busy. */
const SLOW_IO_MS = 10_000;

fault(18, 'those who asked are gone, with their queues', {
  breaks: 0,
  readiness: 'stays',
  env: { PREPROCESS_IO_DELAY_MS: String(SLOW_IO_MS) },
  maxInFlight: 2_000, // or the orphans would wait for room
  messages: 3_000,
  inject: async (lab) => {
    const requester = await BrokerClient.open(lab.broker.url);
    await requester.channel.assertQueue(VANISHING, { durable: true });
    await lab.load.send(
      ...orphans('deleted', VANISHING, ORPHANS),
      ...orphans('exclusive', requester.replyQueue, ORPHANS),
    );
    const { messageCount } = await requester.channel.deleteQueue(VANISHING);
    await askDirectly(requester, lab.queue);
    await requester.close();
    lab.expect(messageCount + requester.replies.letters.length === 0, 'no answer came before the queues were gone');
  },
  check: (lab) => {
    for (const [index, kind] of [...Array(ORPHANS).keys()].flatMap((at) => [[at, 'deleted'], [at, 'exclusive']] as const)) {
      const { results, errorCodes = [], deadCodes = [] } = lab.load.ledger.outcomesOf(`${kind}${index}`) ?? {};
      lab.expect(results === 0 && errorCodes.length === 0, `${kind}${index} has no answer`);
      lab.expect(deadCodes.join() === 'REPLY_UNROUTABLE', `${kind}${index} is dead once, and not [${deadCodes.join()}]`);
    }
    lab.figures['returns'] = reported(lab, 'deadLettered');
    lab.expect(lab.figures['returns'] === 2 * ORPHANS, `each return is one dead letter`);
    // A direct reply is at most once: where nobody waits any longer, RabbitMQ drops it.
    const answered = lab.load.ledger.ok + images.length + ORPHANS;
    lab.expect(reported(lab, 'answered') === answered, `${reported(lab, 'answered')} answers were sent instead of ${answered}`);
  },
}); // prettier-ignore

/** The result queue has little room, and nobody reads it for now. */
const LITTLE_ROOM = {
  breaks: 0,
  readiness: 'stays',
  env: { PREFETCH: String(PREFETCH) },
  inHand: PREFETCH,
  maxInFlight: 3 * PREFETCH,
} as const;

fault(19, 'the result queue is full', {
  ...LITTLE_ROOM,
  inject: async (lab) => {
    await stopReading(lab);
    await untilInHand(lab.worker, PREFETCH);
  },
  heal: (lab) => lab.load.results.resume(),
  check: boundedInHand,
});

/** On RabbitMQ 3.10 channels that were refused something may be refused for ever then. */
fault(19, 'the result queue is full, and its limit is lifted before anybody reads', {
  ...LITTLE_ROOM,
  inject: async (lab) => {
    await stopReading(lab);
    await untilInHand(lab.worker, PREFETCH);
  },
  heal: async (lab) => {
    await lab.broker.ctl('clear_policy', 'small');
    await lab.load.results.resume();
  },
  check: boundedInHand,
});

fault(19, 'results are read slowly', {
  ...LITTLE_ROOM,
  inject: async (lab) => {
    await stopReading(lab);
    await lab.load.results.resume({ prefetch: 10, ackAfterMs: 100 });
    await untilInHand(lab.worker, PREFETCH);
  },
  heal: async (lab) => {
    await lab.load.results.pause();
    await lab.load.results.resume();
  },
  check: boundedInHand,
});

fault(19, 'the queue of one requester is full, and stays so', {
  breaks: 0,
  readiness: 'stays',
  env: { PREFETCH: String(PREFETCH), RETRY_DELAYS_MS: '100' },
  inHand: PREFETCH,
  inject: async (lab) => {
    const requester = await BrokerClient.open(lab.broker.url);
    await requester.channel.assertQueue(FULL, { arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
    requester.channel.sendToQueue(FULL, Buffer.from('one'), { persistent: true });
    await lab.load.send(...orphans('unread', FULL, UNREAD));
    const { ledger } = lab.load;
    await ledger.changes.until(() => unread().every((id) => ledger.outcomesOf(id)?.deadCodes.length));
    await requester.channel.deleteQueue(FULL);
    await requester.close();
  },
  check: (lab) => {
    for (const id of unread()) {
      const codes = lab.load.ledger.outcomesOf(id)?.deadCodes.join();
      lab.expect(codes === 'REPLY_REFUSED', `${id} is dead once, and not [${codes}]`);
    }
  },
}); // prettier-ignore

// The worker publishes by the default exchange, which nobody can delete; what can be missing there is a queue.

/** The load's own error, which looks for the dead letters. */
const NO_DEAD_LETTERS = 'not_found';

fault(20, 'the dead-letter queue is deleted, and the worker may declare it', {
  breaks: 0,
  readiness: 'stays',
  channelError: NO_DEAD_LETTERS,
  inject: async (lab) => {
    await sendGarbageWithNowhereToGo(lab);
    await lab.worker.log(({ msg }) =>
      msg.includes(`'${lab.deadLetterQueue}' was gone, and has been declared again`),
    );
    await untilGarbageIsDead(lab);
  },
  check: (lab) => {
    garbageIsDeadOnce(lab);
    for (const { id } of garbage()) {
      const codes = lab.load.ledger.outcomesOf(id)?.errorCodes.join();
      lab.expect(codes === 'INVALID_JSON', `${id} has one error answer, and not [${codes}]`);
    }
  },
});

/** Requests that find no dead-letter queue wait in a retry queue, and are not answered again. */
fault(20, 'the dead-letter queue is deleted, and the worker may not declare it', {
  breaks: 0,
  env: { TOPOLOGY: 'check' },
  readiness: 'stays',
  channelError: NO_DEAD_LETTERS,
  prepare: (lab) => lab.declareQueues(),
  inject: async (lab) => {
    await sendGarbageWithNowhereToGo(lab);
    await lab.worker.log(({ msg }) => msg.startsWith(`there is no queue '${lab.deadLetterQueue}'`));
  },
  heal: async (lab) => {
    await lab.declareQueues();
    const declaredAt = performance.now();
    await untilGarbageIsDead(lab);
    lab.figures['dead letters found their place after ms'] = performance.now() - declaredAt;
  },
  check: garbageIsDeadOnce,
});

function orphans(kind: string, replyTo: string, count: number): LoadRequest[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${kind}${index}`,
    image: 0,
    body: Buffer.from(JSON.stringify({ data: images[0] })),
    isGuilty: true,
    options: { replyTo },
  }));
}

function garbage(): LoadRequest[] {
  return Array.from({ length: GARBAGE }, (_, index) => {
    return { id: `garbage${index}`, image: 0, body: Buffer.from('no JSON'), isGuilty: true };
  });
}

async function sendGarbageWithNowhereToGo({ broker, load, deadLetterQueue }: FaultLab): Promise<void> {
  await broker.deleteQueue(deadLetterQueue);
  await load.send(...garbage());
}

function untilGarbageIsDead({ load: { ledger } }: FaultLab): Promise<void> {
  return ledger.changes.until(() => garbage().every(({ id }) => ledger.outcomesOf(id)?.deadCodes.length));
}

function garbageIsDeadOnce(lab: FaultLab): void {
  for (const { id } of garbage()) {
    const codes = lab.load.ledger.outcomesOf(id)?.deadCodes.join();
    lab.expect(codes === 'INVALID_JSON', `${id} is dead once, and not [${codes}]`);
  }
  const lost = lab.worker.logs.filter(({ msg }) => msg.includes('connection lost'));
  lab.expect(lost.length === 0, 'both connections last');
}

/** As many requests as orphans of a kind, whose answers go to RabbitMQ's pseudo-queue. */
async function askDirectly(requester: BrokerClient, queue: string): Promise<void> {
  const replyTo = 'amq.rabbitmq.reply-to';
  await requester.collect(replyTo);
  const sending = Array.from({ length: ORPHANS }, () =>
    requester.send(queue, { data: images[0] }, { replyTo }),
  );
  await Promise.all(sending);
}

function unread(): string[] {
  return orphans('unread', FULL, UNREAD).map(({ id }) => id);
}

/** Limits the result queue, in the operator's way, and reads no more of it. */
async function stopReading(lab: FaultLab): Promise<void> {
  const limits = JSON.stringify({ 'max-length': ROOM, overflow: 'reject-publish' });
  await lab.broker.ctl('set_policy', 'small', `^${lab.load.resultQueue}$`, limits, '--apply-to', 'queues');
  await lab.load.results.pause();
}

function boundedInHand(lab: FaultLab): void {
  const [watch] = lab.watches;
  lab.figures['most in hand'] = watch?.maxInHand ?? NaN;
  lab.expect(lab.figures['most in hand'] === PREFETCH, `the prefetch of ${PREFETCH} is the bound`);
}

/** The sum of a figure in the worker's traffic lines. */
function reported(lab: FaultLab, figure: 'answered' | 'deadLettered'): number {
  const lines = lab.supervisor.logs.filter(({ context }) => context === 'Traffic');
  return lines.reduce((sum, line) => sum + Number(line[figure]), 0);
}
