import { WorkerProcess } from '../../src/cli/worker-process.js';

export type Probe = 'live' | 'ready' | 'startup';

/** The HTTP status of a probe. */
export async function statusOf(worker: WorkerProcess, probe: Probe): Promise<number> {
  return (await fetch(`${await worker.httpUrl()}/health/${probe}`)).status;
}

/** The body of a probe. */
export async function bodyOf(worker: WorkerProcess, probe: Probe): Promise<unknown> {
  return (await fetch(`${await worker.httpUrl()}/health/${probe}`)).json();
}

/** Asks a probe, as Kubernetes would, until it has that status; the test's own limit ends a vain wait. */
export async function untilStatus(worker: WorkerProcess, probe: Probe, status: number): Promise<void> {
  while ((await statusOf(worker, probe)) !== status);
}
