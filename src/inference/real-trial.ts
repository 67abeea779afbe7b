import { countOf, joined, NotRowsError, runTogether } from '../models/batch.js';
import { BatchingFinding } from '../models/batching-trial.js';
import { describeDifference, Doubts } from '../models/doubts.js';
import { differenceOf, doDiffer, Specimen } from '../models/row-difference.js';
import { Session } from '../models/session.js';
import { Rows } from '../protocol/rows.js';
import { elementCount } from '../protocol/tensor.js';

/** So many requests of the same dimensions prove a model on which made inputs fail: run in twos, fours, and all together. */
const SPECIMENS = 8;
/** Larger requests are not kept for that. */
const MAX_SPECIMEN_ROWS = 8;
const MAX_SPECIMEN_ELEMENTS = 250_000;
/** So often they are run together without telling anything, and no more. */
const MAX_LESSONS = 20;
/** One may be for want of memory. */
const FAILURES_TO_REFUTE = 2;
/** Dimensions of which specimens are kept. */
const MAX_GROUPS = 4;

/** Finds out by the first real requests whether they may share a run. Keeps some that ran alone, and runs them together. */
export class RealTrial {
  private isRunning = false;
  private lessons = 0;
  private failures = 0;
  /** By their dimensions, oldest first. */
  private readonly specimens = new Map<string, Specimen[]>();

  /** @param random from 0 to below 1 */
  constructor(
    private readonly session: Session,
    private readonly random: () => number,
  ) {}

  /**
   * @param rows a request that has run alone
   * @param alone its whole outputs
   * @returns what is known now; undefined: nothing yet
   */
  async learn(rows: Rows, alone: Rows): Promise<BatchingFinding | undefined> {
    if (this.isRunning || !this.mayTell(rows, alone)) return undefined;
    const { inputs, outputs } = this.session.signature;
    const uneven = alone.dims.findIndex((dims) => dims[0] !== rows.count);
    if (uneven >= 0)
      return refuted(
        new NotRowsError(outputs[uneven]?.name ?? '', alone.dims[uneven]?.[0], rows.count).message,
      );
    const group = this.groupOf(rows);
    group.push({ rows: joined([rows], inputs), alone });
    const isPowerOfTwo = (group.length & (group.length - 1)) === 0;
    if (group.length < 2 || !isPowerOfTwo) return undefined;
    this.isRunning = true;
    try {
      return await this.runTogether(group);
    } finally {
      this.isRunning = false;
    }
  }

  /** Lets go of what it has kept. */
  end(): void {
    this.specimens.clear();
  }

  private mayTell(rows: Rows, alone: Rows): boolean {
    if (rows.isWhole || rows.count > MAX_SPECIMEN_ROWS || this.lessons >= MAX_LESSONS) return false;
    return elementsOf(rows) + elementsOf(alone) <= MAX_SPECIMEN_ELEMENTS;
  }

  private groupOf({ dims }: Rows): Specimen[] {
    const key = dims.join(';');
    const group = this.specimens.get(key) ?? [];
    this.specimens.delete(key);
    this.specimens.set(key, group);
    if (this.specimens.size > MAX_GROUPS) this.specimens.delete([...this.specimens.keys()][0] ?? key);
    return group;
  }

  private async runTogether(group: Specimen[]): Promise<BatchingFinding | undefined> {
    const requests = group.map(({ rows }) => rows);
    let together: Rows[];
    try {
      together = await runTogether(this.session, requests);
    } catch (error) {
      group.length = 0;
      if (++this.failures < FAILURES_TO_REFUTE) return undefined;
      return refuted(`it cannot run requests together: ${(error as Error).message}`);
    }
    const doubts = new Doubts();
    for (const [index, specimen] of group.entries()) {
      const company = together[index] as Rows;
      const found = await differenceOf(specimen, company, countOf(requests), this.session, this.random);
      if (doubts.areTooMany(found)) return refuted(describeDifference(found));
    }
    if (group.length < SPECIMENS) return undefined;
    this.lessons++;
    const [first, ...others] = group.splice(0) as [Specimen, ...Specimen[]];
    // Where all answers are alike, a swap would not show: others may tell more.
    return others.some((other) => doDiffer(first, other)) ? { verdict: 'proved' } : undefined;
  }
}

function refuted(reason: string): BatchingFinding {
  return { verdict: 'refuted', reason };
}

function elementsOf({ dims, count }: Rows): number {
  return dims.reduce((sum, own) => sum + count * elementCount(own), 0);
}
