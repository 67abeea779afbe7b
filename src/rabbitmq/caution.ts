import { Suspicion } from './suspicion.js';

/** So many messages in a row that are less suspect, and more may be in hand. */
const CALM_AFTER = 10;

/** Knows how many messages may be in hand at once: as many as the most suspect of the latest allows. */
export class Caution {
  /** Infinity: nothing was suspect lately. */
  company = Infinity;
  private calm = 0;
  private leastCompany = Infinity;

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
