import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { consumeMessage } from '../../test/support/messages.js';
import { historyHeaders } from './history.js';
import { SuspicionRule, UNSUSPECTED } from './suspicion.js';
import { Survivors } from './survivors.js';

const PREFETCH = 100;
const COHORT = 10;

/** A message that comes again. */
const returned = (headers: object) => consumeMessage({}, { headers }, 1, true);

/** The headers of a copy that was put aside. */
const copy = (history: { crashes: number }) =>
  historyHeaders({ attempts: 0, excusedAttempts: 0, unknownModelAttempts: 0, ...history });

function suspicionOf(returns: number, { limit = 5, survived = 0 } = {}) {
  const survivors = new Survivors();
  const message = returned({ 'x-delivery-count': returns });
  for (let times = 0; times < survived; times++) survivors.remember([message]);
  return new SuspicionRule(limit, () => PREFETCH, survivors, new Survivors()).of(message);
}

describe('SuspicionRule', () => {
  it.each([
    [0, Infinity, false],
    [1, COHORT, false],
    [2, 1, false],
    [3, 1, false],
    [4, 1, true],
    [5, 1, true],
  ])('after %i crashes lets a message be with %d, conclusive: %s', (crashes, company, isConclusive) => {
    expect(suspicionOf(crashes)).toEqual({ crashes, company, isConclusive });
  });

  it('does not count what this process has lived through', () => {
    expect(suspicionOf(3, { survived: 3 })).toBe(UNSUSPECTED);
    expect(suspicionOf(3, { survived: 2 })).toEqual({ crashes: 1, company: 1, isConclusive: false });
    expect(suspicionOf(1, { survived: 4 })).toBe(UNSUSPECTED);
  });

  it('has a survivor alone where a crash of its neighbours would take it over the limit', () => {
    expect(suspicionOf(4, { survived: 4 })).toEqual({ crashes: 0, company: 1, isConclusive: false });
    expect(suspicionOf(9, { survived: 9 })).toEqual({ crashes: 0, company: 1, isConclusive: false });
  });

  it.each([1, 2, 3])(
    'with DELIVERY_LIMIT=%i has each suspect alone, and gives up after two crashes',
    (limit) => {
      expect(suspicionOf(1, { limit })).toEqual({ crashes: 1, company: 1, isConclusive: false });
      expect(suspicionOf(2, { limit })).toEqual({ crashes: 2, company: 1, isConclusive: true });
    },
  );

  it.each([1, 2, 3])('with DELIVERY_LIMIT=%i has also a copy that was put aside alone', (limit) => {
    const rule = new SuspicionRule(limit, () => PREFETCH, new Survivors(), new Survivors());
    expect(rule.of(consumeMessage({}, { headers: copy({ crashes: 1 }) })).company).toBe(1);
  });

  it('gives no message up that was not alone once before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 20 }), (limit, crashes) => {
        if (suspicionOf(crashes, { limit }).isConclusive)
          expect(suspicionOf(crashes - 1, { limit }).company).toBe(1);
      }),
    );
  });

  it('holds against the copy that was put aside what was held against the message, and its own returns as well', () => {
    const rule = new SuspicionRule(5, () => PREFETCH, new Survivors(), new Survivors());
    expect(rule.of(consumeMessage({}, { headers: copy({ crashes: 1 }) }))).toEqual({
      crashes: 1,
      company: COHORT,
      isConclusive: false,
    });
    const returnedCopy = returned({ ...copy({ crashes: 1 }), 'x-delivery-count': 2 });
    expect(rule.of(returnedCopy)).toEqual({ crashes: 3, company: 1, isConclusive: false });
    const handedBack = returned({ ...copy({ crashes: 2 }), 'x-acquired-count': 1 });
    expect(rule.of(handedBack)).toEqual({ crashes: 2, company: 1, isConclusive: false });
  });

  it('has a message of a classic queue, which does not count, alone, and never gives it up', () => {
    const rule = new SuspicionRule(1, () => PREFETCH, new Survivors(), new Survivors());
    expect(rule.of(returned({}))).toEqual({ crashes: 1, company: 1, isConclusive: false });
  });

  it('believes no count in a classic queue, where the producer wrote it or another queue that it was in', () => {
    const rule = new SuspicionRule(undefined, () => PREFETCH, new Survivors(), new Survivors());
    const alone = { company: 1, isConclusive: false };
    expect(rule.of(returned({ 'x-delivery-count': 9 }))).toEqual({ crashes: 1, ...alone });
    expect(rule.of(returned({ 'x-delivery-count': 9, 'x-acquired-count': 9 }))).toEqual({
      crashes: 1,
      ...alone,
    });
    expect(rule.of(consumeMessage({}, { headers: copy({ crashes: 9 }) }))).toEqual({ crashes: 9, ...alone });
  });

  it('does not count how often a dead letter was looked at before it was moved back', () => {
    const rule = new SuspicionRule(5, () => PREFETCH, new Survivors(), new Survivors());
    // RabbitMQ 4.3 leaves that count until it has one of its own.
    expect(rule.of(returned({ 'x-delivery-count': 4, 'x-acquired-count': 1 }))).toBe(UNSUSPECTED);
    expect(rule.of(returned({ 'x-delivery-count': 1, 'x-acquired-count': 3 })).crashes).toBe(1);
  });

  it('does not suspect a message of a classic queue that this process has lived with', () => {
    const survivors = new Survivors();
    survivors.remember([returned({})]);
    expect(new SuspicionRule(5, () => PREFETCH, survivors, new Survivors()).of(returned({}))).toBe(
      UNSUSPECTED,
    );
  });

  it('does not suspect what a worker handed back to RabbitMQ 4.3', () => {
    const rule = new SuspicionRule(5, () => PREFETCH, new Survivors(), new Survivors());
    expect(rule.of(returned({ 'x-acquired-count': 3 }))).toBe(UNSUSPECTED);
  });

  it('takes what this process handed back for survivors, except where RabbitMQ does not count them', () => {
    const handedBack = new Survivors();
    const rule = new SuspicionRule(5, () => PREFETCH, new Survivors(), handedBack);
    const [before, since] = [
      returned({ 'x-delivery-count': 1 }),
      returned({ 'x-delivery-count': 1, 'x-acquired-count': 2 }),
    ];
    handedBack.remember([before]);
    expect(rule.of(before)).toBe(UNSUSPECTED);
    expect(rule.of(since)).toEqual({ crashes: 1, company: COHORT, isConclusive: false });
  });
});
