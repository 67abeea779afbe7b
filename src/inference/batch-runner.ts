import { countOf, NotRowsError, runAlone, runTogether } from '../models/batch.js';
import { BatchLateError, Session } from '../models/session.js';
import { Rows } from '../protocol/rows.js';
import { BatchingProof } from './batching-proof.js';
import { runBisecting } from './bisect.js';
import { Blame } from './blame.js';
import { asInferenceError } from './inference.errors.js';
import { QueuedRows, runTimely } from './timely-run.js';

/** Runs the batches of a model, and finds out whose fault it is when one fails. */
export class BatchRunner {
  /** Requests that got outputs so far. */
  succeeded = 0;

  /**
   * @param model its name
   * @param onBatch told the rows of each batch that ran
   */
  constructor(
    private readonly model: string,
    private readonly session: Session,
    private readonly proof: BatchingProof,
    private readonly blame: Blame,
    private readonly onBatch: (rows: number) => void,
  ) {}

  /**
   * @param refuse told each request whose deadline passes before it runs
   * @returns the outputs of each, or an InferenceError, or a promise that rejects with one, in their order
   */
  readonly run = async (
    items: readonly QueuedRows[],
    refuse: (item: QueuedRows, error: Error) => void,
  ): Promise<readonly (Rows | Error | Promise<Rows>)[]> => {
    const startedAt = performance.now();
    const answers = await runBisecting(items, (some) => runTimely(some, this.infer, refuse));
    return this.blame.of(answers, startedAt);
  };

  /** All or none. */
  private readonly infer = async (items: readonly QueuedRows[], deadline?: number): Promise<Rows[]> => {
    try {
      const parts = items.map(({ rows }) => rows);
      const outputs = (await this.together(parts, deadline)) ?? (await this.eachAlone(parts, deadline));
      this.blame.worked(parts[0]);
      this.succeeded += items.length;
      return outputs;
    } catch (error) {
      if (error instanceof BatchLateError) throw error;
      throw asInferenceError(error, 'INFERENCE_FAILED', `model '${this.model}' failed on this input`);
    }
  };

  /** @returns undefined where requests may share no run, or this one is seen to have mixed them */
  private async together(parts: readonly Rows[], deadline?: number): Promise<Rows[] | undefined> {
    const { proof, session } = this;
    if (!proof.holds || parts.some(({ isWhole }) => isWhole)) return undefined;
    const count = countOf(parts);
    const startedAt = performance.now();
    try {
      const outputs = await runTogether(session, parts, deadline);
      const isDue = proof.ran(count, performance.now() - startedAt);
      if (isDue && !(await proof.agrees(parts, outputs))) return undefined;
      if (!proof.holds) return undefined; // found out by another run meanwhile
      this.onBatch(count);
      return outputs;
    } catch (error) {
      if (!(error instanceof NotRowsError)) throw error;
      proof.refute(error.message);
      return undefined;
    }
  }

  private async eachAlone(parts: readonly Rows[], deadline?: number): Promise<Rows[]> {
    const outputs: Rows[] = [];
    for (const rows of parts) {
      const alone = await runAlone(this.session, rows, deadline);
      this.onBatch(rows.count);
      outputs.push(alone);
      await this.proof.learn(rows, alone);
    }
    return outputs;
  }
}
