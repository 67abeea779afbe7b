import { FaultKind } from './fault-kind.js';
import { BROKER_KINDS } from './kinds/broker.kinds.js';
import { NETWORK_KINDS } from './kinds/network.kinds.js';
import { QUEUE_KINDS } from './kinds/queue.kinds.js';
import { WORKER_KINDS } from './kinds/worker.kinds.js';

export const KINDS: readonly FaultKind[] = [
  ...WORKER_KINDS,
  ...NETWORK_KINDS,
  ...BROKER_KINDS,
  ...QUEUE_KINDS,
];

/**
 * The kinds to draw from, in the order above, so that a seed means the same however they are named.
 *
 * @param names all where not given
 */
export function kindsToUse(nodes: number, names?: readonly string[]): FaultKind[] {
  return KINDS.filter(
    ({ name, isPossible }) => (names?.includes(name) ?? true) && (isPossible?.(nodes) ?? true),
  );
}
