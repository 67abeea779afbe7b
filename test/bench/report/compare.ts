import { FigureName, FIGURES, Measurement } from '../figures.js';
import { Results } from '../results.js';

/** A figure in two benches. */
export interface Change {
  readonly suite: string;
  readonly subject: string;
  readonly x: number;
  readonly figure: FigureName;
  readonly before: number;
  readonly after: number;
  /** After divided by before. */
  readonly ratio: number;
  /** `same` where it may be noise: the rounds of one overlap with those of the other, or the change is small. */
  readonly verdict: 'better' | 'worse' | 'same';
}

/** Machines differ by as much from one hour to the next. */
const NOISE = 0.03;

/** Each figure that both benches have. */
export function compare(before: readonly Measurement[], after: readonly Measurement[]): Change[] {
  const [old, now] = [new Results(before), new Results(after)];
  return now.medians().flatMap(({ suite, subject, x, figures }) =>
    (Object.keys(figures) as FigureName[]).flatMap((figure) => {
      const [was, is] = [old.spread(suite, subject, x, figure), now.spread(suite, subject, x, figure)];
      if (!was || !is || was.median === 0) return []; // there is no ratio to 0
      const ratio = is.median / was.median;
      const isHigher = is.min > was.max && ratio > 1 + NOISE;
      const isLower = is.max < was.min && ratio < 1 - NOISE;
      const isBetter = FIGURES[figure].isBetter === 'higher' ? isHigher : isLower;
      const verdict = isBetter ? 'better' : isHigher || isLower ? 'worse' : 'same';
      const change = { suite, subject, x, figure, before: was.median, after: is.median };
      return [{ ...change, ratio, verdict } as const];
    }),
  );
}
