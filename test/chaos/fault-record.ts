/** A fault as it went. Times are since the start of the run. */
export interface FaultRecord {
  readonly number: number;
  readonly kind: string;
  readonly worker: number;
  readonly node: number;
  readonly plannedMs: number;
  /** From the beginning of the injection … */
  readonly atMs: number;
  /** … to the end of the healing. */
  readonly healedMs: number;
  /** From the end of the healing to the next result; undefined where none came in time. */
  readonly recoveryMs?: number;
  /** From the end of the healing until all workers were ready. */
  readonly allReadyMs?: number;
  /** Most answers that may have come twice by it. */
  readonly duplicateBound: number;
  /** Answers that came twice from its beginning to its recovery. */
  readonly duplicates: number;
  /** What went wrong with the fault itself, or with getting over it. */
  readonly problem?: string;
}
