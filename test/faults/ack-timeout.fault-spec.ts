import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fault } from './fault.js';
import { FaultLab } from './fault-lab.js';

/** The broker's, shorter than any in use. */
const CONSUMER_TIMEOUT_MS = 5_000;
const SLOW_RUN_FILE = join(tmpdir(), `onnxmq-slow-run-${randomUUID()}`);
/** It looks every second: at channels before RabbitMQ 4.3, since then at quorum queues. */
const brokerOptions = {
  config: [`consumer_timeout = ${CONSUMER_TIMEOUT_MS}`],
  advancedConfig: '[{rabbit, [{channel_tick_interval, 1000}, {quorum_tick_interval, 1000}]}].\n',
};
const slowRuns = (slowMs: number) => ({
  NODE_OPTIONS: '--import ./test/support/hooks/slow-run.mjs',
  SLOW_RUN_FILE,
  SLOW_RUN_MS: String(slowMs),
  INFERENCE_THREADS: '0', // the hook is loaded into the process, not into its threads
});

fault(17, 'a run takes so long that messages are handed back ahead of the broker’s ack timeout', {
  brokerOptions,
  breaks: 0,
  env: { ...slowRuns(1.2 * CONSUMER_TIMEOUT_MS), CONSUMER_TIMEOUT_MS: String(CONSUMER_TIMEOUT_MS) },
  inject: async (lab) => {
    const line = await slowRun(lab, ({ msg }) => msg.includes('near CONSUMER_TIMEOUT_MS: handed back'));
    lab.figures['handed back'] = Number.parseInt(line.msg);
  },
});

fault(17, 'a run takes longer than the broker’s ack timeout, of which the worker was not told', {
  brokerOptions,
  channelError: 'precondition_failed',
  readiness: 'drops',
  // Not twice as long, or what comes again is overdue again.
  env: slowRuns(1.8 * CONSUMER_TIMEOUT_MS),
  inject: (lab) => slowRun(lab, ({ msg }) => msg.startsWith('consume: connection lost')),
  check: (lab) => {
    const { worker, figures } = lab;
    const losses = worker.logs.filter(({ msg }) => msg.startsWith('consume: connection lost'));
    figures['connections lost'] = losses.length;
    lab.expect(losses.length === 1, `the ack timeout cost ${losses.length} connections`);
  },
});

/** Has the next run be slow; resolves with what the worker says of it. */
async function slowRun(
  { worker, figures }: FaultLab,
  isTold: Parameters<FaultLab['worker']['log']>[0],
): ReturnType<FaultLab['worker']['log']> {
  writeFileSync(SLOW_RUN_FILE, '');
  const startedAt = performance.now();
  const line = await worker.log(isTold);
  figures['after ms'] = performance.now() - startedAt;
  return line;
}
