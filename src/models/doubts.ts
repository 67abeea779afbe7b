import { Difference } from './row-difference.js';

/** So many inconclusive differences are always borne … */
const LEAST_DOUBTS = 2;
/** … and this share of what was compared. */
const DOUBTFUL_SHARE = 0.2;

/** Counts differences that prove nothing one by one. */
export class Doubts {
  private looks = 0;
  private inconclusive = 0;

  /** @returns true where this difference, or so many of them, prove that rows see each other */
  areTooMany(found: Difference | undefined): found is Difference {
    this.looks++;
    if (!found) return false;
    return found.isConclusive || ++this.inconclusive > Math.max(LEAST_DOUBTS, this.looks * DOUBTFUL_SHARE);
  }
}

/** In words, for the log. */
export function describeDifference({ output, by }: { readonly output: string; readonly by: number }): string {
  const much = Number.isFinite(by) ? `by ${Number(by.toPrecision(3))}` : 'altogether';
  return `output '${output}' of the same rows differs ${much} beside others`;
}
