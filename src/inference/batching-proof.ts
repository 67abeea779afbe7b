import { countOf, joined, runAlone } from '../models/batch.js';
import { BatchingFinding } from '../models/batching-trial.js';
import { describeDifference } from '../models/doubts.js';
import { Difference, differenceOf } from '../models/row-difference.js';
import { Session } from '../models/session.js';
import { Rows } from '../protocol/rows.js';
import { RealTrial } from './real-trial.js';

/** So many of the first shared runs are checked, whatever that costs, and so many rows of each. */
const FIRST_CHECKS = 4;
const FIRST_LOOKS = 8;
/** From then on, checks may take this share of the time that shared runs take. */
const CHECK_SHARE = 0.005;
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
  /** Rows of the largest request that got the same cut as whole. */
  private largestCut = 0;
  private readonly trial: RealTrial;

  /** @param random from 0 to below 1 */
  constructor(
    private readonly session: Session,
    finding: BatchingFinding,
    private readonly listener: ProofListener,
    private readonly random: () => number = Math.random,
  ) {
    this.verdict = finding.verdict;
    this.trial = new RealTrial(session, random);
  }

  /** True while requests may share a run. */
  get holds(): boolean {
    return this.verdict === 'proved' || this.verdict === 'trusted';
  }

  /** Requests share no run from now on. */
  refute(reason: string): void {
    if (this.verdict === 'refuted') return;
    this.verdict = 'refuted';
    this.trial.end();
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

  /** A request has run alone: while nothing is known, it may tell. */
  async learn(rows: Rows, alone: Rows): Promise<void> {
    if (this.verdict !== 'open') return;
    const finding = await this.trial.learn(rows, alone);
    if (finding?.verdict === 'refuted') this.refute(finding.reason);
    if (finding?.verdict === 'proved') this.prove();
  }

  private prove(): void {
    this.verdict = 'proved';
    this.trial.end();
    this.listener.onProved();
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
