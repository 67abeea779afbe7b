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
   * @returns the same, with each failure laid to the request where it is the request's own
   */
  async of(answers: readonly (Rows | Error)[]): Promise<readonly (Rows | Error)[]> {
    if (!answers.some(isFailure)) return answers;
    const works = answers.some((answer) => !(answer instanceof Error)) || (await this.modelWorks());
    return works ? answers.map(ownFault) : answers;
  }

  /** True also where nothing is known to be good: then there is no sign of an outage. */
  async modelWorks(): Promise<boolean> {
    if (!this.knownGood) return true;
    try {
      await runAlone(this.session, this.knownGood);
      return true;
    } catch {
      return false;
    }
  }
}

function isFailure(answer: Rows | Error): answer is InferenceError {
  return answer instanceof InferenceError && answer.code === 'INFERENCE_FAILED';
}

function ownFault(answer: Rows | Error): Rows | Error {
  if (!isFailure(answer)) return answer;
  return answer.asOwnFault(OUT_OF_MEMORY.test(answer.message));
}
