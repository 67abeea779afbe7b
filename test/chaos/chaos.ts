/** `npm run chaos`: workers under load while everything around them fails at random, and what became of each request. */
import { findServer } from '../../src/cli/private-broker.js';
import { BrokerKind } from '../faults/broker/broker-host.js';
import { obstacleTo } from '../faults/broker/broker-node.js';
import { FaultLab } from '../faults/fault-lab.js';
import { within } from '../faults/patience.js';
import { POISONABLE } from '../support/poison.js';
import { ChaosOutcome, runChaos } from './chaos-run.js';
import { KINDS, kindsToUse } from './kinds.js';
import { readOptions } from './options.js';
import { writeReport } from './report/write-report.js';
import { scheduleOf } from './schedule.js';

/** Long enough for a fault to find something in hand. */
const IO_DELAY_MS = '100';
const CLOSE_PATIENCE_MS = 60_000;

const options = readOptions();
const say = (line: string) => process.stderr.write(`  ${line}\n`);
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());
process.on('uncaughtException', (error) => {
  say(`chaos: ${error.stack ?? error.message}`);
  process.exitCode = 1;
  interrupt.abort();
});

if (options.list) {
  for (const { name, about } of KINDS) console.log(`  ${name.padEnd(18)}${about}`);
  process.exit(0);
}

let lab: FaultLab | undefined;
try {
  process.exitCode = Math.max(await chaos(), Number(process.exitCode ?? 0));
} catch (error) {
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
  say(`chaos: ${(error as Error).message}`);
} finally {
  if (lab)
    await within(lab.close(), CLOSE_PATIENCE_MS, 'cleaning up').catch((error: Error) => say(error.message));
}
process.exit(); // what was given up may still wait for something

async function chaos(): Promise<number> {
  const { minutes, workers, rate: ratePerS, seed = Math.floor(Math.random() * 2 ** 31) } = options;
  const nodes: 1 | 3 = options.broker === 'cluster' ? 3 : 1;
  const kind = await brokerKind();
  const kinds = kindsToUse(nodes, options.faults);
  if (kinds.length === 0) throw new Error('none of these faults is possible here');
  const schedule = scheduleOf({ seed, minutes, kinds, workers, nodes });
  const startedAt = new Date();
  say(`starting ${nodes > 1 ? `${nodes} nodes` : 'a broker'} (${kind}) and ${workers} workers; seed ${seed}`);
  const plan = {
    nodes,
    workers,
    ratePerS,
    isProxied: true,
    env: { PREPROCESS_IO_DELAY_MS: IO_DELAY_MS, ...POISONABLE },
  };
  lab = await FaultLab.open(plan, kind, seed, interrupt.signal);
  const broker = `RabbitMQ ${lab.broker.version}, ${nodes > 1 ? `${nodes} nodes, ` : ''}${kind}`;
  say(`${broker}; ${schedule.length} faults in ${minutes} min at ${ratePerS} msg/s`);
  const outcome = await runChaos(lab, { minutes, ratePerS, schedule }, interrupt.signal);
  writeReport(options.out, lab, outcome, { startedAt, broker, schedule, options: { ...options, seed } });
  for (const sentence of outcome.broken) say(`broken: ${sentence}`);
  console.log(summary(outcome));
  if (outcome.broken.length > 0) return 1;
  return interrupt.signal.aborted ? 130 : 0;
}

/** The one that is asked for, or the first that is here. */
async function brokerKind(): Promise<BrokerKind> {
  if (options.broker === 'native' || options.broker === 'docker') {
    const obstacle = await obstacleTo(options.broker);
    if (obstacle) throw new Error(obstacle);
    return options.broker;
  }
  if (await findServer()) return 'native';
  const obstacle = await obstacleTo('docker');
  if (obstacle) throw new Error(`there is no rabbitmq-server on this machine; ${obstacle}`);
  return 'docker';
}

function summary({ faults, counts, duplicateBound }: ChaosOutcome): string {
  const { attempt, lost, duplicated, innocents } = counts;
  return (
    `${faults.length} faults, ${attempt} messages, ${lost} lost, ${duplicated} duplicated (bound ${duplicateBound}), ` +
    `${innocents} innocents dead-lettered`
  );
}
