import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Fifo } from './fifo.js';

function take<T>(fifo: Fifo<T>, count: number): T[] {
  let taken = 0;
  return fifo.takeWhile(() => taken++ < count);
}

describe('Fifo', () => {
  it('behaves as an array from whose head is taken', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant('push' as const) },
      { weight: 2, arbitrary: fc.constant('shift' as const) },
      { weight: 1, arbitrary: fc.nat(6) },
      { weight: 1, arbitrary: fc.record({ remove: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ divisor: fc.integer({ min: 1, max: 5 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const fifo = new Fifo<number>();
        const model: number[] = [];
        for (const [index, what] of steps.entries()) {
          if (what === 'push') {
            fifo.push(index);
            model.push(index);
          } else if (what === 'shift') expect(fifo.shift()).toBe(model.shift());
          else if (typeof what === 'number') expect(take(fifo, what)).toEqual(model.splice(0, what));
          else if ('remove' in what) {
            const at = model.indexOf(what.remove);
            expect(fifo.remove(what.remove)).toBe(at >= 0);
            if (at >= 0) model.splice(at, 1);
          } else {
            const isDivisible = (item: number) => item % what.divisor === 0;
            expect(fifo.extract(isDivisible)).toEqual(model.filter(isDivisible));
            model.splice(0, Infinity, ...model.filter((item) => !isDivisible(item)));
          }
          expect(fifo.length).toBe(model.length);
          expect(fifo.first).toBe(model[0]);
        }
        expect(take(fifo, Infinity)).toEqual(model);
      }),
      { numRuns: 300 },
    );
  });

  it('gives nothing when it is empty', () => {
    const fifo = new Fifo<string>();
    expect(fifo.shift()).toBeUndefined();
    expect(fifo.takeWhile(() => true)).toEqual([]);
    expect({ first: fifo.first, length: fifo.length }).toEqual({ first: undefined, length: 0 });
  });

  it('gives what is falsy as well', () => {
    const fifo = new Fifo<unknown>();
    for (const item of [0, '', false, null]) fifo.push(item);
    expect(fifo.length).toBe(4);
    expect([fifo.shift(), ...take(fifo, 3)]).toEqual([0, '', false, null]);
  });
});
