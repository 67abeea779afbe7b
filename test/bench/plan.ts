import { Figures } from './figures.js';
import { Results } from './results.js';
import { Rig } from './rig.js';

/** One run of the bench. */
export interface Step {
  readonly suite: string;
  readonly subject: string;
  readonly x: number;
  readonly round: number;
  /** @param results what was measured before */
  measure(rig: Rig, results: Results): Promise<Figures>;
}

/** How much is measured. */
export interface Effort {
  readonly rounds: number;
  /** Messages for the fastest contestants. */
  readonly messages: number;
  /** Length of a run at a rate, and of what one message at a time takes, in s. */
  readonly seconds: number;
  /** Points of each sweep: all, or its ends. */
  readonly sweeps: 'all' | 'ends';
  /** Messages waiting in the run with a large backlog. */
  readonly manyWaiting: number;
  /** Messages waiting in the run for peak RSS. */
  readonly memoryWaiting: number;
  /** To see that it works, not to measure. */
  readonly isSmoke?: true;
}

export const EFFORTS = {
  full: {
    rounds: 3,
    messages: 60_000,
    seconds: 6,
    sweeps: 'all',
    manyWaiting: 1_000_000,
    memoryWaiting: 100_000,
  },
  quick: {
    rounds: 1,
    messages: 10_000,
    seconds: 1.5,
    sweeps: 'ends',
    manyWaiting: 100_000,
    memoryWaiting: 20_000,
  },
  smoke: {
    rounds: 1,
    messages: 300,
    seconds: 0.5,
    sweeps: 'ends',
    manyWaiting: 2_000,
    memoryWaiting: 1_000,
    isSmoke: true,
  },
} satisfies Record<string, Effort>;

/** The points of a sweep that are measured. */
export function pointsOf<T>(points: readonly T[], { sweeps }: Effort): readonly T[] {
  return sweeps === 'all' ? points : [points[0], points.at(-1)].filter((point) => point !== undefined);
}

/** Starts so many places later, and ends with those before: no contestant is always the first of a round. */
export function rotated<T>(steps: readonly T[], places: number): T[] {
  const start = Math.floor(places);
  return [...steps.slice(start), ...steps.slice(0, start)];
}
