import { seededRandom } from '../faults/load/random.js';
import { FaultKind } from './fault-kind.js';

/** From the beginning of a fault to that of the next, in a run of a minute and in a long one. */
const SHORT_RUN = { minutes: 1, minGapMs: 5_000, maxGapMs: 8_000, share: 0.2 };
/** `share`: how much of a kind's range a fault may last. */
const LONG_RUN = { minutes: 10, minGapMs: 20_000, maxGapMs: 40_000, share: 1 };

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
  const { minGapMs, maxGapMs, share } = paceOf(minutes);
  const between = (min: number, max: number) => min + random(max - min + 1);
  const schedule: PlannedFault[] = [];
  let deck: FaultKind[] = [];
  for (let atMs = between(minGapMs, maxGapMs); ; atMs += between(minGapMs, maxGapMs)) {
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

/** In a shorter run faults follow each other more closely, and are shorter, so that there are some of most kinds. */
function paceOf(minutes: number): Omit<typeof LONG_RUN, 'minutes'> {
  const part = (minutes - SHORT_RUN.minutes) / (LONG_RUN.minutes - SHORT_RUN.minutes);
  const length = Math.min(1, Math.max(0, part));
  const between = (name: keyof typeof LONG_RUN) =>
    SHORT_RUN[name] + (LONG_RUN[name] - SHORT_RUN[name]) * length;
  return {
    minGapMs: Math.round(between('minGapMs')),
    maxGapMs: Math.round(between('maxGapMs')),
    share: between('share'),
  };
}
