import { type WorkerProcess } from '../../src/cli/worker-process.js';
import { eventually } from './eventually.js';

export type ProbeName = 'live' | 'ready' | 'startup';

interface Probe {
  readonly status: number;
  readonly body: { readonly status: string; readonly details: Record<string, Record<string, unknown>> };
}

/** What a worker's probe says now. */
export async function probe(worker: WorkerProcess, name: ProbeName): Promise<Probe> {
  const response = await fetch(`${await worker.httpUrl()}/health/${name}`);
  return { status: response.status, body: (await response.json()) as Probe['body'] };
}

/** Whether a worker is ready; one that is not there is not. */
export async function isReady(worker: WorkerProcess): Promise<boolean> {
  return probe(worker, 'ready').then(
    ({ status }) => status === 200,
    () => false,
  );
}

/** The status codes of all probes. */
export async function probes(worker: WorkerProcess): Promise<Record<ProbeName, number>> {
  const [live, ready, startup] = await Promise.all(
    (['live', 'ready', 'startup'] as const).map(async (name) => (await probe(worker, name)).status),
  );
  return { live, ready, startup } as Record<ProbeName, number>;
}

/** Resolves when a probe gives that status. */
export async function untilProbe(worker: WorkerProcess, name: ProbeName, status: number): Promise<void> {
  await eventually(
    () => probe(worker, name),
    (answer) => answer.status === status,
  );
}

/** Messages that the worker has taken and not settled, by its own account. */
export async function inHand(worker: WorkerProcess): Promise<number> {
  return Number((await probe(worker, 'live')).body.details['progress']?.['inHand']);
}

/** Resolves when the worker has exactly that many messages in hand. */
export async function untilInHand(worker: WorkerProcess, count: number): Promise<void> {
  await eventually(
    () => inHand(worker),
    (now) => now === count,
  );
}
