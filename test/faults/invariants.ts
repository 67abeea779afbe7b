import { LAB_PASSWORD } from './broker/broker-host.js';
import { FaultLab } from './fault-lab.js';
import { FaultPlan } from './fault-plan.js';
import { LedgerCounts } from './load/ledger.js';

const MAX_RSS_MB = 512;
/** The digits model is right about 98 % of its test set. */
const MIN_ACCURACY = 0.97;

/** What is known when a run is over. */
export interface Outcome {
  readonly counts: LedgerCounts;
  /** Most answers that may come twice. */
  readonly duplicateBound: number;
  readonly requestsLeft: number;
  readonly exitCodes: readonly (number | null)[];
  readonly brokerLogs: readonly string[];
  /** From the end of the fault to the next result. */
  readonly recoveryMs: number | undefined;
  /** Each worker's probe has said so after the last fault, and at the end. */
  readonly isReady: boolean;
  /** When the (first) fault began, and when all had come to rest; `performance.now()`. */
  readonly faultAt: number;
  readonly restedAt: number;
}

/** Most answers that may come twice. */
export function duplicateBound({ breaks = 1 }: FaultPlan, lab: FaultLab): number {
  return breaks * lab.maxInHand;
}

/** What a run may do. */
type Allowed = Pick<
  FaultPlan,
  'endsWorker' | 'stallsWorker' | 'readiness' | 'failsRuns' | 'channelError' | 'maxRssMb'
>;

/** The promises that a run has broken, each in a sentence; none is as it should be. */
export function brokenInvariants(allowed: Allowed, lab: FaultLab, outcome: Outcome): string[] {
  return [...ledgerPromises(lab, outcome), ...processPromises(allowed, lab, outcome), ...lab.broken];
}

function ledgerPromises(lab: FaultLab, outcome: Outcome): string[] {
  const { counts, requestsLeft, recoveryMs, duplicateBound: bound } = outcome;
  const { ledger, accuracy } = lab.load;
  return sentencesOf([
    [
      counts.lost > 0,
      `I1: ${counts.lost} acknowledged requests are lost (${ledger.lostIds.slice(0, 5).join(', ')} …)`,
    ],
    [requestsLeft > 0, `I1: ${requestsLeft} requests were left in the queue`],
    [counts.duplicated > bound, `I2: ${counts.duplicated} answers came twice, at most ${bound} may`],
    [counts.differing > 0, `I2: ${counts.differing} second answers differ from the first`],
    [counts.wrong > 0, `I2: ${counts.wrong} results are about another image`],
    [counts.unexpected > 0, `I2: ${counts.unexpected} answers are to requests that were never made`],
    [
      accuracy < MIN_ACCURACY,
      `I2: the worker is right about ${(accuracy * 100).toFixed(1)} % of the images only`,
    ],
    [
      counts.innocents > 0,
      `I3: ${counts.innocents} requests are dead that nothing is wrong with (${ledger.innocents.slice(0, 5).join(', ')} …)`,
    ],
    [recoveryMs === undefined, 'I5: no result came after the fault'],
  ]);
}

function processPromises(allowed: Allowed, lab: FaultLab, outcome: Outcome): string[] {
  const workers = lab.supervisors.flatMap((supervisor) => supervisor.workers);
  const said = workers.map(({ logs }) => logs.map((line) => JSON.stringify(line)).join('\n'));
  const outage = workers.flatMap(({ logs }) => logs).find(({ context }) => context === 'Outage');
  const errors = workers.map((worker) => (isPoisoned(worker.errors) ? '' : worker.errors)).join('');
  const channelErrors = [
    ...said.map((log) => workerChannelError(log, allowed)),
    ...outcome.brokerLogs.map((log) => brokerChannelError(log, allowed)),
  ];
  const channelError = channelErrors.find((line) => line !== undefined);
  const starts = workers.length - lab.supervisors.length;
  const { maxRssMb = MAX_RSS_MB } = allowed;
  const peakRssMb = Math.max(...lab.watches.map((watch) => watch.peakRssMb ?? 0));
  const [livenessFailure] = lab.watches.flatMap(({ livenessFailures }) => livenessFailures);
  const notReadyAt = lab.watches.flatMap((watch) => watch.notReadyAt);
  const wasNotReady = notReadyAt.some((at) => at >= outcome.faultAt && at < outcome.restedAt);
  return sentencesOf([
    [channelError !== undefined, `I4: a channel error: ${channelError}`],
    [!allowed.endsWorker && starts > 0, `I6: the worker ended ${starts} times`],
    [errors !== '', `I6: the worker wrote to stderr: ${errors.slice(0, 500)}`],
    [
      outcome.exitCodes.some((code) => code !== 0),
      `I6: the worker ended with ${outcome.exitCodes.join()} instead of 0`,
    ],
    [peakRssMb > maxRssMb, `I6: the worker took ${peakRssMb.toFixed(0)} MB, at most ${maxRssMb} may be`],
    [
      !allowed.stallsWorker && livenessFailure !== undefined,
      `I8: the liveness probe failed: ${livenessFailure}`,
    ],
    [
      !allowed.failsRuns && outage !== undefined,
      `I8: it paused, as if messages failed by themselves: ${outage?.msg}`,
    ],
    [!outcome.isReady, 'I8: the worker was not ready again'],
    [allowed.readiness === 'drops' && !wasNotReady, 'I8: the worker was ready all the time'],
    [allowed.readiness === 'stays' && wasNotReady, 'I8: the worker was not ready'],
    [[...said, errors].some((text) => text.includes(LAB_PASSWORD)), 'I9: the password is in the log'],
  ]);
}

/** What the hook has abort leaves the stack of the abort. */
function isPoisoned(errors: string): boolean {
  return errors.includes('hooks/poison.js');
}

function workerChannelError(said: string, { channelError }: Allowed): string | undefined {
  if (channelError === 'precondition_failed') return undefined;
  return /.*(?:PRECONDITION|channel error).*/i.exec(said)?.[0];
}

/** The reason is on the second line of what it logs. */
function brokerChannelError(log: string, { channelError }: Allowed): string | undefined {
  const other = new RegExp(`.*channel exception (?!${channelError}).*`, 'i');
  const any = /.*(?:precondition_failed|channel exception|channel error).*/i;
  return (channelError ? other : any).exec(log)?.[0];
}

function sentencesOf(promises: readonly (readonly [isBroken: boolean, sentence: string])[]): string[] {
  return promises.filter(([isBroken]) => isBroken).map(([, sentence]) => sentence);
}
