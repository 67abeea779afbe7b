import { Caution } from './caution.js';
import { Custody } from './custody.js';
import { Intake } from './intake.js';

/** So long something that hangs in hand holds up what is tried next. */
const PATIENCE_MS = 30_000;
/** So many copies may wait in hand for room in a queue while others are passed over. */
const MAX_RESTING = 100;

/** A time in which nothing is taken but one message now and then, to find out whether messages can be processed again. */
export class Pause {
  private isPassedOver = false;

  /** @param intake that of the present connection; undefined where nothing may be taken */
  constructor(
    private readonly caution: Caution,
    private readonly custody: Custody,
    private readonly intake: () => Intake | undefined,
  ) {}

  /** Resolves when nothing is in hand any longer, or what is hangs. */
  async begin(): Promise<void> {
    this.caution.halt('outage', true);
    await this.intake()?.follow();
    await this.custody.idle(PATIENCE_MS);
  }

  /**
   * Takes one message, and resolves when it is settled, or hangs.
   *
   * @returns what there was: `nothing` in the queue, or no broker to ask
   */
  async takeOne(): Promise<'taken' | 'nothing' | 'no broker'> {
    const intake = this.intake();
    if (!intake || intake.acks.isClosed) return 'no broker';
    let isTaken: boolean | undefined;
    do {
      this.isPassedOver = false;
      isTaken = await intake.takeOne().catch(() => undefined);
      if (isTaken) await this.custody.idle(PATIENCE_MS);
    } while (this.isPassedOver && this.intake() === intake && this.custody.resting < MAX_RESTING);
    return isTaken === undefined ? 'no broker' : isTaken ? 'taken' : 'nothing';
  }

  /** What was taken last only waits for room in a queue: whether messages can be processed is found out by the next one. */
  passOver(): void {
    this.isPassedOver = true;
  }

  async end(): Promise<void> {
    this.caution.halt('outage', false);
    await this.intake()?.follow();
  }
}
