import { FaultLab } from '../../faults/fault-lab.js';
import { seededRandom } from '../../faults/load/random.js';
import { within } from '../../faults/patience.js';
import { FaultKind } from '../fault-kind.js';
import { garbage } from '../garbage.js';

const POLICY = 'chaos-full';
const MAX_RESULTS = 20;
const PAUSE_PATIENCE_MS = 60_000;

/** What comes by way of the queues. */
export const QUEUE_KINDS: readonly FaultKind[] = [
  {
    name: 'queue-deleted',
    about: 'the empty request queue is deleted, so that its consumers are cancelled',
    breaks: 1,
    inject: async (lab) => {
      // What is in a queue goes with it. A pause that comes too late must not have it deleted any more.
      await within(lab.load.pause(), PAUSE_PATIENCE_MS, 'all requests have an outcome');
      await lab.broker.deleteQueue(lab.queue);
    },
    heal: (lab) => lab.load.resume(),
  },
  {
    name: 'results-full',
    about: 'nobody reads the results, and their queue is full after a few',
    lastsMs: [1_000, 15_000],
    breaks: 0,
    inject: async (lab) => {
      const full = JSON.stringify({ 'max-length': MAX_RESULTS, overflow: 'reject-publish' });
      const pattern = `^${lab.load.resultQueue.replaceAll('.', '\\.')}$`;
      await lab.broker.ctl('set_policy', '--apply-to', 'queues', POLICY, pattern, full);
      await lab.load.results.pause();
    },
    heal: async (lab) => {
      await lab.load.results.resume();
      await lab.broker.ctl('clear_policy', POLICY);
    },
  },
  {
    name: 'garbage',
    about: 'requests come that are none',
    breaks: 0,
    inject: (lab, { number, seed }) => sendGarbage(lab, number, seed),
  },
  {
    name: 'burst',
    about: '300 to 2,000 requests come at once',
    breaks: 0,
    inject: (lab, { seed }) => lab.load.burst(300 + seededRandom(seed)(1_701)),
  },
];

async function sendGarbage(lab: FaultLab, number: number, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const count = 20 + random(41);
  for (let index = 0; index < count; index++)
    await lab.load.send({
      id: `garbage.${number}.${index}`,
      image: -1,
      body: garbage(random),
      isGuilty: true,
    });
}
