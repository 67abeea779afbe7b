import { BrokerKind } from './broker/broker-host.js';
import { FaultLab } from './fault-lab.js';
import { FaultPlan } from './fault-plan.js';
import { brokenInvariants, duplicateBound } from './invariants.js';
import { LedgerCounts } from './load/ledger.js';

const MESSAGES = 6_000;
const IN_HAND = 300;
/** Nothing that is on its way stays away for longer: dead peers are noticed within three heartbeats of 10 s. */
const PATIENCE_MS = 60_000;

/** A run of a fault. */
export interface FaultReport {
  readonly fault: number;
  readonly name: string;
  readonly broker: string;
  readonly seed: number;
  readonly counts: LedgerCounts;
  /** Most answers that might have come twice. */
  readonly duplicateBound: number;
  /** Messages that the workers had in hand when it struck. */
  readonly inHand: number;
  /** From the beginning of the fault to its end. */
  readonly faultMs: number;
  /** From the end of the fault to the next result; `undefined` where none came. */
  readonly recoveryMs: number | undefined;
  /** From the end of the fault until each worker's probe was seen to say that it is ready. */
  readonly readyMs: number | undefined;
  /** From the last request until each had its outcome. */
  readonly drainMs: number;
  readonly peakRssMb: number;
  /** What the fault itself has measured. */
  readonly figures: Readonly<Record<string, number>>;
  /** Promises that were broken. */
  readonly broken: readonly string[];
}

/** Brings a fault about under load, ends it, and takes stock once all has come to rest. */
export async function runFault(plan: FaultPlan, kind: BrokerKind, seed: number): Promise<FaultReport> {
  const lab = await FaultLab.open(plan, kind, seed);
  try {
    const { load } = lab;
    const { ledger } = load;
    const messages = plan.messages ?? MESSAGES;
    load.start();
    await load.answered(messages / 4);
    const isLoaded = await lab.untilSeen(() => lab.inHand >= (plan.inHand ?? IN_HAND), PATIENCE_MS);
    lab.expect(
      isLoaded,
      `under load there are ${plan.inHand ?? IN_HAND} messages in hand, not ${lab.inHand}`,
    );
    const { inHand } = lab;

    const faultAt = performance.now();
    await plan.inject(lab);
    await plan.heal?.(lab);
    const healedAt = performance.now();

    let recoveredAt: number | undefined;
    void ledger.changes.until(() => ledger.lastOkAt > healedAt).then(() => (recoveredAt = ledger.lastOkAt));
    const seenReady = lab
      .untilSeen(() => lab.watches.every((watch) => watch.seenReadyAt >= healedAt), PATIENCE_MS)
      .then((isReady) => (isReady ? performance.now() - healedAt : undefined));
    await load.answeredInTime(Math.max(messages, ledger.ok + messages / 4), PATIENCE_MS);
    const endedAt = performance.now();
    await load.settled(PATIENCE_MS);
    const drainMs = performance.now() - endedAt;
    const readyMs = await seenReady;
    const isReady = lab.watches.every((watch) => watch.isReady);
    const restedAt = performance.now();

    const exitCodes = await lab.stopWorkers();
    const { requestsLeft } = await load.drain();
    await plan.check?.(lab);
    const recoveryMs = recoveredAt === undefined ? undefined : recoveredAt - healedAt;
    const counts = ledger.counts();
    const brokerLogs = await Promise.all(lab.nodes.map((node) => node.log()));
    const bound = duplicateBound(plan, lab);
    const outcome = {
      counts,
      duplicateBound: bound,
      requestsLeft,
      exitCodes,
      brokerLogs,
      recoveryMs,
      isReady: isReady && readyMs !== undefined,
      faultAt,
      restedAt,
    };
    return {
      fault: plan.number,
      name: plan.name,
      broker: lab.broker.version,
      seed,
      counts,
      duplicateBound: bound,
      inHand,
      faultMs: healedAt - faultAt,
      recoveryMs,
      readyMs,
      drainMs,
      peakRssMb: Math.max(...lab.watches.map((watch) => watch.peakRssMb ?? 0)),
      figures: lab.figures,
      broken: brokenInvariants(plan, lab, outcome),
    };
  } finally {
    await lab.close();
  }
}
