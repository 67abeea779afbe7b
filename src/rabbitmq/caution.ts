import { Suspicion } from './suspicion.js';

/** So many messages in a row that are less suspect, and more may be in hand. */
const CALM_AFTER = 10;

/** Why nothing more is taken for now: messages fail for reasons that are not theirs, or no answer can be published. */
export type HaltReason = 'outage' | 'blocked';

/** Knows how many messages may be in hand at once: as many as the most suspect of the latest allows. */
export class Caution {
  /** Infinity: nothing was suspect lately. */
  company = Infinity;
  private calm = 0;
  private leastCompany = Infinity;
  private readonly halts = new Set<HaltReason>();

  /** Whether anything may be taken. */
  get isHalted(): boolean {
    return this.halts.size > 0;
  }

  /** @returns true when that changes whether anything may be taken */
  halt(reason: HaltReason, isHalted: boolean): boolean {
    const wasHalted = this.isHalted;
    if (isHalted) this.halts.add(reason);
    else this.halts.delete(reason);
    return wasHalted !== this.isHalted;
  }

  /** A suspect has come in. @returns true when less may be in hand from now on */
  meet({ company }: Suspicion): boolean {
    if (company >= this.company) return false;
    this.change(company);
    return true;
  }

  /** A message was settled. @returns true when more may be in hand from now on */
  settled({ company }: Suspicion): boolean {
    if (company <= this.company) {
      this.change(this.company);
      return false;
    }
    this.leastCompany = Math.min(this.leastCompany, company);
    if (++this.calm < CALM_AFTER) return false;
    this.change(this.leastCompany);
    return true;
  }

  /** The queue has nothing more. */
  end(): void {
    this.change(Infinity);
  }

  private change(company: number): void {
    this.company = company;
    this.leastCompany = Infinity;
    this.calm = 0;
  }
}
