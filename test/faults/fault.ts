import { describe, expect, it } from '@jest/globals';
import { BrokerKind } from './broker/broker-host.js';
import { obstacleTo } from './broker/broker-node.js';
import { FaultPlan } from './fault-plan.js';
import { keepReport, lineOf } from './fault-results.js';
import { MemoryCgroup } from './memory-cgroup.js';
import { runFault } from './run-fault.js';

const TIMEOUT_MS = 240_000;
const repeats = Number(process.env['FAULT_REPEATS'] ?? 1);
const kinds = await kindsToUse(process.env['FAULT_BROKER'] ?? 'native');

/** A test: that fault, under load, breaks no promise. */
export function fault(number: number, name: string, plan: Omit<FaultPlan, 'number' | 'name'>): void {
  const sentence = `${number}: nothing is lost when ${name}`;
  const obstacle = plan.memoryLimitMb ? MemoryCgroup.obstacle : undefined;
  if (obstacle) process.stderr.write(`faults: ${number} is skipped: ${obstacle}\n`);
  if (obstacle || kinds.length === 0) {
    it.skip(sentence, () => {});
    return;
  }
  for (const kind of kinds)
    for (let repeat = 1; repeat <= repeats; repeat++)
      describe(kind, () => {
        it(repeats > 1 ? `${sentence} (${repeat})` : sentence, () => expectNoHarm(kind), TIMEOUT_MS);
      });

  async function expectNoHarm(kind: BrokerKind): Promise<void> {
    const seed = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const report = await runFault({ number, name, ...plan }, kind, seed);
    keepReport(report);
    process.stderr.write(`${lineOf(report)}\n`);
    expect(report.broken).toEqual([]);
  }
}

/** The kinds of broker that are asked for and can be had; says so of one that cannot. */
async function kindsToUse(asked: string): Promise<BrokerKind[]> {
  const wished = asked === 'both' ? ['native', 'docker'] : [asked];
  const usable: BrokerKind[] = [];
  for (const kind of wished) {
    if (kind !== 'native' && kind !== 'docker')
      throw new Error(`FAULT_BROKER is ${JSON.stringify(asked)}; it may be native, docker or both`);
    const obstacle = await obstacleTo(kind);
    if (obstacle) process.stderr.write(`faults: ${kind} is skipped: ${obstacle}\n`);
    else usable.push(kind);
  }
  return usable;
}
