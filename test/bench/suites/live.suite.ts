import { Contestant, HAND_WRITTEN, ONNXMQ } from '../contestants.js';
import { Effort, Step } from '../plan.js';
import { runClosedLoop, runRate } from '../runs/live-run.js';
import { Workload } from '../workload.js';

export const RATE = 'rate';
export const IDLE = 'idle';
const RATE_IO_MS = 50;
/** The share of saturation at which the tail is held against its target, in %. */
export const HIGH_LOAD = 80;
const SHARES = [20, 50, HIGH_LOAD, 95];
/** Saturation itself, which the shares are of. */
export const SATURATION = 100;
/** Messages in flight that saturate: what the broker hands over at most. */
const SATURATING = 2000;
const IDLE_IO_MS = [0, 50];

/**
 * Latency by rate, up to what worker, broker and load generator can do together. At high load the hand-written loop is
 * asked for as much, to tell the worker's share from that of broker and machine.
 */
export function rateSteps(digits: Workload, effort: Effort): Omit<Step, 'round'>[] {
  const jobOf = (contestant: Contestant) => ({ contestant, workload: digits, ioDelayMs: RATE_IO_MS });
  const atShare = (share: number, contestant = ONNXMQ): Omit<Step, 'round'> => ({
    suite: RATE,
    subject: contestant.name,
    x: share,
    measure: (rig, results) => {
      const saturation = results.median(RATE, ONNXMQ.name, SATURATION, 'perSecond');
      if (!saturation) throw new Error('it needs the measured saturation');
      return runRate(rig, jobOf(contestant), (saturation * share) / 100, effort.seconds);
    },
  });
  return [
    {
      suite: RATE,
      subject: ONNXMQ.name,
      x: SATURATION,
      measure: (rig) => runClosedLoop(rig, jobOf(ONNXMQ), SATURATING, effort.seconds),
    },
    ...(effort.sweeps === 'all' ? SHARES : [HIGH_LOAD]).map((share) => atShare(share)),
    atShare(HIGH_LOAD, HAND_WRITTEN),
  ];
}

/** Round trips of one message at a time. */
export function idleSteps(digits: Workload, effort: Effort): Omit<Step, 'round'>[] {
  return IDLE_IO_MS.flatMap((ioDelayMs) =>
    [ONNXMQ, HAND_WRITTEN].map((contestant) => ({
      suite: IDLE,
      subject: contestant.name,
      x: ioDelayMs,
      measure: (rig) =>
        runClosedLoop(rig, { contestant, workload: digits, ioDelayMs }, 1, 2 * effort.seconds),
    })),
  );
}
