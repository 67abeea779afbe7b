import { seededRandom } from '../faults/load/random.js';
import { FaultKind } from './fault-kind.js';

/** With fewer faults to be had in the time, they follow each other more closely and are shorter. */
const GAP_MS = { min: 20_000, max: 40_000 };
const SHORT_GAP_MS = { min: 5_000, max: 8_000 };
const SHORT_MINUTES = 2;
/** The share of a kind's range that a fault of a short run may last. */
const SHORT_SHARE = 0.2;

/** A fault to come: what, when, for how long, and to whom. */
export interface PlannedFault {
  /** From 1. */
  readonly number: number;
  readonly kind: FaultKind;
  /** From the start of the run. One that is still waiting for the one before it begins later. */
  readonly atMs: number;
  readonly lastsMs: number;
  /** The worker that it concerns, and the broker's node. */
  readonly worker: number;
  readonly node: number;
  /** Of the choices that are the kind's own. */
  readonly seed: number;
}

export interface ScheduleOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly kinds: readonly FaultKind[];
  readonly workers: number;
  readonly nodes: number;
}

/** The faults of a run: the same ones for the same options. Each kind comes as often as any other, within one. */
export function scheduleOf({ seed, minutes, kinds, workers, nodes }: ScheduleOptions): PlannedFault[] {
  const random = seededRandom(seed);
  const isShort = minutes <= SHORT_MINUTES;
  const gap = isShort ? SHORT_GAP_MS : GAP_MS;
  const share = isShort ? SHORT_SHARE : 1;
  const between = (min: number, max: number) => min + random(max - min + 1);
  const schedule: PlannedFault[] = [];
  let deck: FaultKind[] = [];
  for (let atMs = between(gap.min, gap.max); ; atMs += between(gap.min, gap.max)) {
    if (deck.length === 0) deck = [...kinds];
    const [kind] = deck.splice(random(deck.length), 1);
    const [min, max] = kind?.lastsMs ?? [0, 0];
    const lastsMs = between(min, min + Math.round((max - min) * share));
    if (!kind || atMs + lastsMs > minutes * 60_000) return schedule;
    schedule.push({
      number: schedule.length + 1,
      kind,
      atMs,
      lastsMs,
      worker: random(workers),
      node: random(nodes),
      seed: random(2 ** 31),
    });
  }
}
