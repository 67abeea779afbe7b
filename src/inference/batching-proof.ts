import { countOf, joined, runAlone, runTogether } from '../models/batch.js';
import { BatchingFinding, describeDifference, Doubts } from '../models/batching-trial.js';
import { Difference, differenceOf, doDiffer, Specimen } from '../models/row-difference.js';
import { Session } from '../models/session.js';
import { Rows } from '../protocol/rows.js';
import { elementCount } from '../protocol/tensor.js';

/** So many of the first shared runs are checked, whatever that costs, and so many rows of each. */
const FIRST_CHECKS = 4;
const FIRST_LOOKS = 8;
/** From then on, checks may take this share of the time that shared runs take. */
const CHECK_SHARE = 0.005;
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
/** Further rows that are looked at where one alone proves nothing. */
const SECOND_LOOKS = 8;

/** What somebody is told of a proof, once each. */
export interface ProofListener {
  onProved(): void;
  onRefuted(reason: string): void;
  onChecked(): void;
}

/**
 * Whether requests may share a run of a model: only as long as rows alone and in company have been seen to get the same answer.
 * What warm-up could not tell, the first real requests do; and one row of a shared run now and then is run again alone.
 */
export class BatchingProof {
  private verdict: BatchingFinding['verdict'];
  private ranMs = 0;
  private checkedMs = 0;
  private checks = 0;
  private isLearning = false;
  private lessons = 0;
  private failures = 0;
  /** Rows of the largest request that got the same cut as whole. */
  private largestCut = 0;
  /** By their dimensions, oldest first. */
  private readonly specimens = new Map<string, Specimen[]>();

  /** @param random from 0 to below 1 */
  constructor(
    private readonly session: Session,
    finding: BatchingFinding,
    private readonly listener: ProofListener,
    private readonly random: () => number = Math.random,
  ) {
    this.verdict = finding.verdict;
  }

  /** True while requests may share a run. */
  get holds(): boolean {
    return this.verdict === 'proved' || this.verdict === 'trusted';
  }

  /** Requests share no run from now on. */
  refute(reason: string): void {
    if (this.verdict === 'refuted') return;
    this.verdict = 'refuted';
    this.specimens.clear();
    this.listener.onRefuted(reason);
  }

  /**
   * A run was shared. @returns true when it is time to {@link agrees}
   *
   * @param rows of all requests in it
   * @param ms that it took
   */
  ran(rows: number, ms: number): boolean {
    this.ranMs += ms;
    if (rows < 2 || this.verdict !== 'proved') return false;
    return this.checks < FIRST_CHECKS || this.checkedMs <= CHECK_SHARE * this.ranMs;
  }

  /**
   * Runs a row of a shared run again, alone, or several of the first runs. Where one gets another answer, the proof is refuted,
   * or, where that may be rounding, more rows are looked at.
   *
   * @param parts what ran together
   * @param outputs what each of them got
   * @returns false where the answers of this run are not to be given
   */
  async agrees(parts: readonly Rows[], outputs: readonly Rows[]): Promise<boolean> {
    const startedAt = performance.now();
    const rows = this.someRows(countOf(parts), this.checks < FIRST_CHECKS ? FIRST_LOOKS : 1);
    this.checks++;
    this.listener.onChecked();
    try {
      for (const row of rows) {
        const found = await this.look(parts, outputs, row);
        if (!found) continue;
        if (await this.isMixing(found, parts, outputs)) this.refute(describeDifference(found));
        return false;
      }
      return true;
    } catch {
      return false; // a row failed alone, which it did not in company: each request runs by itself, to succeed or to fail
    } finally {
      this.checkedMs += performance.now() - startedAt;
    }
  }

  /** A request has run alone: while nothing is known, it is kept, and run again with others of the same dimensions. */
  async learn(rows: Rows, alone: Rows): Promise<void> {
    if (this.verdict !== 'open' || this.isLearning || rows.isWhole) return;
    const { inputs, outputs } = this.session.signature;
    if (this.lessons >= MAX_LESSONS || rows.count > MAX_SPECIMEN_ROWS) return;
    if (elementsOf(rows) + elementsOf(alone) > MAX_SPECIMEN_ELEMENTS) return;
    const uneven = alone.dims.findIndex((dims) => dims[0] !== rows.count);
    if (uneven >= 0) {
      const [first] = alone.dims[uneven] ?? [];
      return this.refute(`output '${outputs[uneven]?.name}' has ${first ?? 'no'} rows for ${rows.count}`);
    }
    const group = this.groupOf(rows);
    group.push({ rows: joined([rows], inputs), alone });
    if (group.length < 2 || (group.length & (group.length - 1)) !== 0) return;
    this.isLearning = true;
    try {
      await this.tryTogether(group);
    } finally {
      this.isLearning = false;
    }
  }

  /** True where no request of so many rows has been seen to get the same cut as whole. */
  isLargestCut(rows: number): boolean {
    return this.verdict === 'proved' && rows > this.largestCut;
  }

  /** A request has run cut, and whole: what it gets whole is right. */
  async compareCut(rows: Rows, cut: Rows, whole: Rows): Promise<void> {
    const specimen = { rows, alone: whole };
    const found = await differenceOf(specimen, cut, rows.count, this.session, this.random);
    if (found?.isConclusive) this.refute(describeDifference(found));
    else this.largestCut = Math.max(this.largestCut, rows.count);
  }

  private groupOf({ dims }: Rows): Specimen[] {
    const key = dims.join(';');
    const group = this.specimens.get(key) ?? [];
    this.specimens.delete(key);
    this.specimens.set(key, group);
    if (this.specimens.size > MAX_GROUPS) this.specimens.delete([...this.specimens.keys()][0] ?? key);
    return group;
  }

  private async tryTogether(group: Specimen[]): Promise<void> {
    let together: Rows[];
    try {
      together = await runTogether(
        this.session,
        group.map(({ rows }) => rows),
      );
    } catch (error) {
      group.length = 0;
      if (++this.failures >= FAILURES_TO_REFUTE)
        this.refute(`it cannot run requests together: ${(error as Error).message}`);
      return;
    }
    const doubts = new Doubts();
    const size = countOf(together);
    for (const [index, specimen] of group.entries()) {
      const found = await differenceOf(specimen, together[index] as Rows, size, this.session, this.random);
      if (doubts.areTooMany(found)) return this.refute(describeDifference(found));
    }
    if (group.length < SPECIMENS) return;
    this.lessons++;
    const [first, ...others] = group.splice(0) as [Specimen, ...Specimen[]];
    if (!others.some((other) => doDiffer(first, other))) return; // all alike: others may tell more
    this.verdict = 'proved';
    this.specimens.clear();
    this.listener.onProved();
  }

  /** Looks at more rows where one alone proves nothing: rounding does not change the answers of most. */
  private async isMixing(
    found: Difference,
    parts: readonly Rows[],
    outputs: readonly Rows[],
  ): Promise<boolean> {
    if (found.isConclusive) return true;
    const rows = this.someRows(countOf(parts), SECOND_LOOKS);
    let differing = 0;
    for (const row of rows) {
      const another = await this.look(parts, outputs, row);
      if (another?.isConclusive) return true;
      if (another) differing++;
    }
    return differing > rows.length / 2;
  }

  /** Any of the rows of a run; all, where there are no more than that. */
  private someRows(count: number, wanted: number): number[] {
    if (count <= wanted) return Array.from({ length: count }, (_, row) => row);
    return Array.from({ length: wanted }, () => Math.floor(this.random() * count));
  }

  /** Runs a row of a shared run alone, and compares. */
  private async look(
    parts: readonly Rows[],
    outputs: readonly Rows[],
    row: number,
  ): Promise<Difference | undefined> {
    let index = 0;
    let place = row;
    for (; place >= (parts[index] as Rows).count; index++) place -= (parts[index] as Rows).count;
    const part = parts[index] as Rows;
    const company = outputs[index] as Rows;
    const rows = joined([{ ...part, first: part.first + place, count: 1 }], this.session.signature.inputs);
    const specimen = { rows, alone: await runAlone(this.session, rows) };
    const inCompany = { ...company, first: company.first + place, count: 1 };
    return differenceOf(specimen, inCompany, countOf(parts), this.session, this.random);
  }
}

function elementsOf({ dims, count }: Rows): number {
  return dims.reduce((sum, own) => sum + count * elementCount(own), 0);
}
