import { joined, runAlone } from '../models/batch.js';
import { Session } from '../models/session.js';
import { Rows } from '../protocol/rows.js';
import { InferenceError } from './inference.errors.js';

/** What ONNX Runtime says when there is no memory: the same request may do later. */
const OUT_OF_MEMORY =
  /failed to allocate|bad_alloc|allocation failed|(out of|no|not enough) memory|smaller than requested bytes/i;

/**
 * Decides whose fault a failed run is. Where the model works at that moment on something else, it is the request's own, which is
 * answered at once; where it fails on an input that it has taken before as well, nobody's. Nobody's is also what failed while the
 * model did so, though it has come to work again by the time that it is asked.
 */
export class Blame {
  /** Settles, always, when the known-good input may run again. */
  private mayProbe: Promise<unknown> = Promise.resolve();
  /** Its next run, while that has not begun. */
  private nextProbe: Promise<boolean> | undefined;
  /** When the model was first seen to work after it had failed on what it takes; Infinity until it is. `performance.now()` */
  private worksSince = -Infinity;

  /** @param knownGood an input on which the model has worked; undefined: the first request that succeeds becomes it */
  constructor(
    private readonly session: Session,
    private knownGood: Rows | undefined,
  ) {}

  /** The model has worked on these rows. */
  worked(rows: Rows | undefined): void {
    if (this.worksSince === Infinity) this.worksSince = performance.now();
    if (this.knownGood || !rows) return;
    this.knownGood = joined([rows], this.session.signature.inputs);
  }

  /**
   * @param answers what became of the requests that ran together
   * @param startedAt when their first run began (`performance.now()`)
   * @returns the same, with each failure laid to the request where it is the request's own; where only a run of the model can
   *   tell, the failure comes once that is over
   */
  of(answers: readonly (Rows | Error)[], startedAt: number): readonly (Rows | Error | Promise<Rows>)[] {
    if (!answers.some(isFailure)) return answers;
    const haveOthersSucceeded = answers.some((answer) => !(answer instanceof Error));
    if (haveOthersSucceeded && startedAt > this.worksSince) return answers.map(ownFault);
    return answers.map((answer) => (isFailure(answer) ? this.judged(answer, startedAt) : answer));
  }

  /**
   * One run tells for all who ask before it begins, and comes no sooner than the one before took: requests that fail may be many,
   * and good ones are not to wait for a run each.
   *
   * @returns true also where nothing is known to be good: then there is no sign of an outage
   */
  modelWorks(): Promise<boolean> {
    return (this.nextProbe ??= this.mayProbe.then(() => this.probe()));
  }

  private probe(): Promise<boolean> {
    this.nextProbe = undefined;
    const startedAt = performance.now();
    const works = this.runKnownGood();
    this.mayProbe = works.then(
      () => new Promise((resolve) => setTimeout(resolve, performance.now() - startedAt)),
    );
    return works;
  }

  private async runKnownGood(): Promise<boolean> {
    if (!this.knownGood) return true;
    try {
      await runAlone(this.session, this.knownGood);
      this.worked(this.knownGood);
      return true;
    } catch {
      this.worksSince = Infinity;
      return false;
    }
  }

  private async judged(failure: InferenceError, startedAt: number): Promise<never> {
    const works = await this.modelWorks();
    throw works && startedAt > this.worksSince ? ownFault(failure) : failure;
  }
}

function isFailure(answer: Rows | Error): answer is InferenceError {
  return answer instanceof InferenceError && answer.code === 'INFERENCE_FAILED';
}

function ownFault<T extends Rows | Error>(answer: T): T | InferenceError {
  if (!isFailure(answer)) return answer;
  return answer.asOwnFault(OUT_OF_MEMORY.test(answer.message));
}
