import { FaultLab } from '../faults/fault-lab.js';
import { PlannedFault } from './schedule.js';

/** A kind of fault that the run draws from. */
export interface FaultKind {
  readonly name: string;
  /** One line for a reader. */
  readonly about: string;
  /** How long it lasts, at least and at most; nothing for one that is over at once. */
  readonly lastsMs?: readonly [min: number, max: number];
  /** How often what a worker has in hand may go back to the queue by it. */
  readonly breaks: number;
  /** How often the process of a worker may end by it. Default: 0. */
  readonly workerEnds?: number;
  /** False where what it needs is not here. Default: true. */
  readonly isPossible?: (nodes: number) => boolean;
  /** Brings it about. */
  inject(lab: FaultLab, fault: PlannedFault): Promise<unknown> | void;
  /** Ends it, also after an injection that failed half-way. */
  heal?(lab: FaultLab, fault: PlannedFault): Promise<unknown> | void;
}
