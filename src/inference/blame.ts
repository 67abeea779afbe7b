import { joined, runAlone } from '../models/batch.js';
import { Session } from '../models/session.js';
import { Rows } from '../protocol/rows.js';
import { InferenceError } from './inference.errors.js';

/** What ONNX Runtime says when there is no memory: the same request may do later. */
const OUT_OF_MEMORY =
  /failed to allocate|bad_alloc|allocation failed|(out of|no|not enough) memory|smaller than requested bytes/i;

/**
 * Decides whose fault a failed run is. Where the model works at that moment on something else, it is the request's own, which is
 * answered at once; where it fails on an input that it has taken before as well, nobody's.
 */
export class Blame {
  /** The last run of the known-good input. Settles always. */
  private lastProbe: Promise<unknown> = Promise.resolve();
  /** The next one, while it has not begun. */
  private nextProbe: Promise<boolean> | undefined;

  /** @param knownGood an input on which the model has worked; undefined: the first request that succeeds becomes it */
  constructor(
    private readonly session: Session,
    private knownGood: Rows | undefined,
  ) {}

  /** The model has worked on these rows. */
  worked(rows: Rows | undefined): void {
    if (this.knownGood || !rows) return;
    this.knownGood = joined([rows], this.session.signature.inputs);
  }

  /**
   * @param answers what became of the requests that ran together
   * @returns the same, with each failure laid to the request where it is the request's own; where only a run of the model can
   *   tell, the failure comes once that is over
   */
  of(answers: readonly (Rows | Error)[]): readonly (Rows | Error | Promise<Rows>)[] {
    if (!answers.some(isFailure)) return answers;
    if (answers.some((answer) => !(answer instanceof Error))) return answers.map(ownFault);
    return answers.map((answer) => (isFailure(answer) ? this.judged(answer) : answer));
  }

  /**
   * One run tells for all who ask before it begins: requests that fail may be many, and good ones are not to wait for a run each.
   *
   * @returns true also where nothing is known to be good: then there is no sign of an outage
   */
  modelWorks(): Promise<boolean> {
    if (!this.nextProbe) this.lastProbe = this.nextProbe = this.lastProbe.then(() => this.probe());
    return this.nextProbe;
  }

  private async probe(): Promise<boolean> {
    this.nextProbe = undefined;
    if (!this.knownGood) return true;
    try {
      await runAlone(this.session, this.knownGood);
      return true;
    } catch {
      return false;
    }
  }

  private async judged(failure: InferenceError): Promise<never> {
    throw (await this.modelWorks()) ? ownFault(failure) : failure;
  }
}

function isFailure(answer: Rows | Error): answer is InferenceError {
  return answer instanceof InferenceError && answer.code === 'INFERENCE_FAILED';
}

function ownFault<T extends Rows | Error>(answer: T): T | InferenceError {
  if (!isFailure(answer)) return answer;
  return answer.asOwnFault(OUT_OF_MEMORY.test(answer.message));
}
