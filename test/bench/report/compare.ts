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
  /** `same` where the rounds of one overlap with the rounds of the other: then it may be noise. */
  readonly verdict: 'better' | 'worse' | 'same';
}

/** Each figure that both benches have. */
export function compare(before: readonly Measurement[], after: readonly Measurement[]): Change[] {
  const [old, now] = [new Results(before), new Results(after)];
  return now.medians().flatMap(({ suite, subject, x, figures }) =>
    (Object.keys(figures) as FigureName[]).flatMap((figure) => {
      const [was, is] = [old.spread(suite, subject, x, figure), now.spread(suite, subject, x, figure)];
      if (!was || !is) return [];
      const isHigher = is.min > was.max;
      const isLower = is.max < was.min;
      const isBetter = FIGURES[figure].isBetter === 'higher' ? isHigher : isLower;
      const verdict = isBetter ? 'better' : isHigher || isLower ? 'worse' : 'same';
      const change = { suite, subject, x, figure, before: was.median, after: is.median };
      return [{ ...change, ratio: is.median / was.median, verdict } as const];
    }),
  );
}
