import { Rows } from '../protocol/rows.js';
import { countOf, NotRowsError, runAlone, runTogether } from './batch.js';
import { Guess, guessesFor, hasWholeNumbers, MadeKind, madeRow, seededRandom } from './made-inputs.js';
import { describeDifference, Doubts } from './doubts.js';
import { differenceOf, doDiffer, Specimen } from './row-difference.js';
import { Session } from './session.js';

/** What is known of whether a model's requests may share a run, and how. */
export type BatchingFinding =
  /** Rows alone and in company gave the same. */
  | { readonly verdict: 'proved' }
  /** `model.json` says so. */
  | { readonly verdict: 'trusted' }
  /** They did not, or cannot be put together at all. */
  | { readonly verdict: 'refuted'; readonly reason: string }
  /** Made inputs did not tell. */
  | { readonly verdict: 'open'; readonly reason: string };

/** What making inputs up found out about a model. */
export interface Trial {
  readonly finding: BatchingFinding;
  /** An input on which the model works; undefined where none of the made ones did. */
  readonly sample?: Rows;
  /** Why the model failed on the last input that was made up for it, where it did on all. */
  readonly failure?: string;
}

/** Compared rows: alike in size, much smaller, larger, and with nothing in them. */
const COMPARED: readonly MadeKind[] = ['small', 'faint', 'small', 'wide', 'zeros', 'small'];
/** A slow model is not asked for more rows than these. */
const COMPARED_SLOW: readonly MadeKind[] = ['small', 'faint'];
/** Company that shows what is scaled by the whole batch. Their own answers are not compared: rounding moves them too far. */
const LOUD: readonly MadeKind[] = ['huge', 'wide'];
/** A row that takes longer is slow, in ms. */
const SLOW_ROW_MS = 50;
/** Of rows that are put together, where there is time for it. */
const LARGE_COMPANY = 24;

/**
 * Finds out by made inputs whether a model's rows can share a run: each is run alone, then with others in several orders, beside
 * rows of the same size and beside such with large values, and must get the same answer.
 */
export async function tryBatching(session: Session): Promise<Trial> {
  const random = seededRandom(1);
  let failure = '';
  for (const guess of guessesFor(session.signature)) {
    const made = await specimensOf(session, guess, random);
    if ('failure' in made) {
      failure = made.failure;
      continue;
    }
    const { specimens } = made;
    const sample = specimens.find(({ kind }) => kind === 'zeros')?.rows ?? specimens[0]?.rows;
    const { mayBatch } = session.signature;
    if (!mayBatch) return { finding: NO_BATCH_DIMENSION, sample };
    if (specimens.length < 2) {
      failure = made.lastFailure ?? '';
      continue;
    }
    return { finding: await companyFinding(session, made, guess, random), sample };
  }
  const { mayBatch } = session.signature;
  const open = { verdict: 'open', reason: 'it fails on inputs that were made up for it' } as const;
  return { finding: mayBatch ? open : NO_BATCH_DIMENSION, failure };
}

const NO_BATCH_DIMENSION = { verdict: 'refuted', reason: 'it has no batch dimension' } as const;

interface MadeSpecimen extends Specimen {
  readonly kind: MadeKind;
}

interface Made {
  readonly specimens: readonly MadeSpecimen[];
  readonly isSlow: boolean;
  readonly lastFailure?: string;
}

/** Runs made rows alone. The first is the likeliest to work: where it fails and zeros do as well, the guess was wrong. */
async function specimensOf(
  session: Session,
  guess: Guess,
  random: () => number,
): Promise<Made | { failure: string }> {
  const { signature } = session;
  const specimens: MadeSpecimen[] = [];
  let lastFailure: string | undefined;
  let isSlow = false;
  const add = async (kind: MadeKind) => {
    const rows = madeRow(signature, kind, guess, random);
    try {
      const startedAt = performance.now();
      specimens.push({ kind, rows, alone: await runAlone(session, rows) });
      isSlow = performance.now() - startedAt > SLOW_ROW_MS;
    } catch (error) {
      lastFailure = (error as Error).message;
    }
  };
  await add('zeros');
  await add('small');
  if (specimens.length === 0) return { failure: lastFailure ?? '' };
  if (!signature.mayBatch) return { specimens, isSlow };
  specimens.length = 0;
  const kinds = isSlow ? COMPARED_SLOW : COMPARED;
  for (const kind of hasWholeNumbers(signature.inputs) ? [...kinds, 'ids' as const] : kinds) await add(kind);
  return { specimens, isSlow, lastFailure };
}

async function companyFinding(
  session: Session,
  { specimens, isSlow }: Made,
  guess: Guess,
  random: () => number,
): Promise<BatchingFinding> {
  const uneven = await singleRowProblem(session, specimens);
  if (uneven !== undefined) return { verdict: 'refuted', reason: uneven };
  const loud: Rows[] = [];
  for (const kind of hasWholeNumbers(session.signature.inputs) ? [...LOUD, 'ids' as const] : LOUD) {
    const rows = madeRow(session.signature, kind, guess, random);
    if (await works(() => runAlone(session, rows))) loud.push(rows);
  }
  const rows = specimens.map((specimen) => specimen.rows);
  const companies: Rows[][] = isSlow
    ? [[...loud.slice(0, 1), ...rows]]
    : [rows, [...loud, ...rows.toReversed()], [...rows, ...loud.toReversed()], repeated(rows, LARGE_COMPANY)];
  const doubts = new Doubts();
  for (const company of companies) {
    const reason = await mixing(session, specimens, company, doubts, random);
    if (reason !== undefined) return { verdict: 'refuted', reason };
  }
  const [first, ...others] = specimens;
  const isTelling = first !== undefined && others.some((other) => doDiffer(first, other));
  return isTelling
    ? { verdict: 'proved' }
    : { verdict: 'open', reason: 'it gave the same answer to all inputs that were made up for it' };
}

/** @returns why a row that runs alone tells nothing: its outputs are no row, or others each time */
async function singleRowProblem(
  session: Session,
  specimens: readonly Specimen[],
): Promise<string | undefined> {
  const { outputs } = session.signature;
  for (const { alone } of specimens) {
    const index = alone.dims.findIndex(([rows]) => rows !== 1);
    if (index >= 0) return new NotRowsError(outputs[index]?.name ?? '', alone.dims[index]?.[0], 1).message;
  }
  const [first] = specimens;
  if (!first || !doDiffer(first, { rows: first.rows, alone: await runAlone(session, first.rows) }))
    return undefined;
  return 'it gives other answers to the same input each time';
}

/** @returns why the rows cannot be run together; undefined where each gets the answer that it got alone */
async function mixing(
  session: Session,
  specimens: readonly Specimen[],
  company: readonly Rows[],
  doubts: Doubts,
  random: () => number,
): Promise<string | undefined> {
  let outputs: Rows[];
  try {
    outputs = await runTogether(session, company);
  } catch (error) {
    return error instanceof NotRowsError
      ? error.message
      : `it cannot run requests together: ${(error as Error).message}`;
  }
  for (const [place, rows] of company.entries()) {
    const specimen = specimens.find((one) => one.rows === rows);
    if (!specimen) continue;
    const found = await differenceOf(specimen, outputs[place] as Rows, countOf(company), session, random);
    if (doubts.areTooMany(found)) return describeDifference(found);
  }
  return undefined;
}

async function works(run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run();
    return true;
  } catch {
    return false;
  }
}

function repeated<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, index) => items[index % items.length] as T);
}
