import { describe, expect, it } from '@jest/globals';
import { Caution } from './caution.js';
import { Suspicion, UNSUSPECTED } from './suspicion.js';

const suspect = (company: number): Suspicion => ({ crashes: 1, company, isConclusive: false });
const calm = (caution: Caution, count: number, suspicion = UNSUSPECTED) =>
  Array.from({ length: count }, () => caution.settled(suspicion));

describe('Caution', () => {
  it('lets in as few as the most suspect message wants, and says when that is less', () => {
    const caution = new Caution();
    expect([14, 14, 1, 14].map((company) => caution.meet(suspect(company)))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(caution.company).toBe(1);
  });

  it('ends after ten messages in a row that are no suspects', () => {
    const caution = new Caution();
    caution.meet(suspect(1));
    expect(calm(caution, 9)).not.toContain(true);
    caution.settled(suspect(1));
    expect(calm(caution, 9)).not.toContain(true);
    expect({ ends: caution.settled(UNSUSPECTED), company: caution.company }).toEqual({
      ends: true,
      company: Infinity,
    });
  });

  it('becomes less, and no less, after ten messages in a row that are less suspect', () => {
    const caution = new Caution();
    caution.meet(suspect(1));
    calm(caution, 5);
    expect(calm(caution, 5, suspect(14)).at(-1)).toBe(true);
    expect(caution.company).toBe(14);
    calm(caution, 9, UNSUSPECTED);
    calm(caution, 20, suspect(14));
    expect(caution.company).toBe(14);
  });

  it('ends with the queue', () => {
    const caution = new Caution();
    caution.meet(suspect(1));
    caution.end();
    expect(caution.company).toBe(Infinity);
  });
});
