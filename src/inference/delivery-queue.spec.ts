import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Delivery } from '../rabbitmq/delivery.js';
import { DeliveryQueue } from './delivery-queue.js';

const delivery = (tag: number, company = Infinity) =>
  ({ tag, suspicion: { company }, isStale: false }) as unknown as Delivery;

describe('DeliveryQueue', () => {
  it('gives what waits to who asks, the oldest first', () => {
    const queue = new DeliveryQueue();
    const deliveries = [1, 2, 3].map((tag) => delivery(tag));
    for (const one of deliveries) queue.push(one);
    const taken: Delivery[] = [];
    for (let asked = 0; asked < 3; asked++) queue.join((one) => taken.push(one));
    expect(taken).toEqual(deliveries);
  });

  it('gives at once what comes to who waits for it, the last to ask first', () => {
    const queue = new DeliveryQueue();
    const served: string[] = [];
    for (const taker of ['a', 'b', 'c']) queue.join(() => served.push(taker));
    for (const tag of [1, 2]) queue.push(delivery(tag));
    expect(served).toEqual(['c', 'b']);
  });

  it('serves a taker that asks again while it takes', () => {
    const queue = new DeliveryQueue();
    const taken: Delivery[] = [];
    const deliveries = [1, 2, 3, 4].map((tag) => delivery(tag));
    for (const one of deliveries.slice(0, 3)) queue.push(one);
    const taker = (one: Delivery) => {
      taken.push(one);
      queue.next(taker);
    };
    queue.join(taker);
    queue.push(deliveries[3] as Delivery);
    expect(taken).toEqual(deliveries);
  });

  it('gives each delivery once and in order, each asking one, and keeps none from who waits', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (steps) => {
        const queue = new DeliveryQueue();
        const taken: [taker: number, delivery: Delivery][] = [];
        const pushed: Delivery[] = [];
        let asked = 0;
        for (const [index, isPush] of steps.entries()) {
          if (isPush) {
            pushed.push(delivery(index));
            queue.push(pushed.at(-1) as Delivery);
          } else {
            asked++;
            queue.join((one) => taken.push([index, one]));
          }
          expect(taken.map(([, one]) => one)).toEqual(pushed.slice(0, Math.min(pushed.length, asked)));
          expect(new Set(taken.map(([taker]) => taker)).size).toBe(taken.length);
        }
      }),
    );
  });

  describe('with suspects', () => {
    /** Takers that are done when the test says so, and what is in process with them. */
    function working(takers: number) {
      const queue = new DeliveryQueue();
      const inProcess = new Map<Delivery, () => void>();
      for (let index = 0; index < takers; index++) {
        const taker = (one: Delivery) =>
          inProcess.set(one, () => {
            inProcess.delete(one);
            queue.next(taker);
          });
        queue.join(taker);
      }
      const finish = (one: Delivery) => inProcess.get(one)?.();
      return { queue, finish, inProcess: () => [...inProcess.keys()] };
    }

    it('begins a suspect when those before it are done, and nothing beside it', () => {
      const { queue, finish, inProcess } = working(1);
      const [innocent, waiting, suspect] = [delivery(1), delivery(2), delivery(3, 1)];
      queue.push(innocent);
      queue.push(waiting);
      queue.push(suspect);
      expect(inProcess()).toEqual([innocent]);
      finish(innocent);
      expect(inProcess()).toEqual([waiting]);
      finish(waiting);
      expect(inProcess()).toEqual([suspect]);
      const later = delivery(4);
      queue.push(later);
      expect(inProcess()).toEqual([suspect]);
      finish(suspect);
      expect(inProcess()).toEqual([later]);
    });

    it('begins suspects together as far as the most suspect among them allows, the most suspect last', () => {
      const { queue, finish, inProcess } = working(8);
      const blocker = delivery(0);
      queue.push(blocker);
      const alone = [delivery(1, 1), delivery(2, 1)];
      const cohort = [3, 4, 5, 6, 7].map((tag) => delivery(tag, 3));
      for (const one of [...alone, ...cohort]) queue.push(one);
      finish(blocker);
      expect(inProcess()).toEqual(cohort.slice(0, 3));
      for (const one of cohort.slice(0, 3)) finish(one);
      expect(inProcess()).toEqual(cohort.slice(3));
      for (const one of cohort.slice(3)) finish(one);
      expect(inProcess()).toEqual([alone[0]]);
      finish(alone[0] as Delivery);
      expect(inProcess()).toEqual([alone[1]]);
    });

    it('keeps no suspect waiting for what comes after it', () => {
      const { queue, finish, inProcess } = working(4);
      const [first, suspect, later] = [delivery(1), delivery(2, 1), delivery(3)];
      queue.push(first);
      queue.push(suspect);
      queue.push(later);
      expect(inProcess()).toEqual([first]);
      finish(first);
      expect(inProcess()).toEqual([suspect]);
      finish(suspect);
      expect(inProcess()).toEqual([later]);
    });

    it('drops a suspect that the broker has again when its turn comes', () => {
      const { queue, finish, inProcess } = working(2);
      const blocker = delivery(0);
      queue.push(blocker);
      let isDropped = false;
      const gone = delivery(1, 1);
      Object.assign(gone, { isStale: true, drop: () => (isDropped = true) });
      const suspect = delivery(2, 1);
      queue.push(gone);
      queue.push(suspect);
      finish(blocker);
      expect({ isDropped, inProcess: inProcess() }).toEqual({ isDropped: true, inProcess: [suspect] });
    });

    it('lets go of what the broker has again, and keeps the order of what is left', () => {
      const { queue, finish, inProcess } = working(1);
      const lost = (one: Delivery) => Object.assign(one, { isStale: true });
      const [blocker, before, suspect, after] = [delivery(0), delivery(1), delivery(3, 1), delivery(5)];
      const gone = [delivery(2), delivery(4, 1), delivery(6)];
      for (const one of [blocker, before, gone[0], suspect, gone[1], after, gone[2]])
        queue.push(one as Delivery);
      for (const one of gone) lost(one);
      expect(new Set(queue.removeStale())).toEqual(new Set(gone));
      const order = [blocker, before, suspect, after];
      for (const one of order) {
        expect(inProcess()).toEqual([one]);
        finish(one);
      }
      expect(inProcess()).toEqual([]);
    });

    it('does not wait for what is nobody’s business any longer', () => {
      const { queue, inProcess } = working(2);
      const [stuck, suspect] = [delivery(0), delivery(1, 1)];
      queue.push(stuck);
      queue.push(suspect);
      queue.leave();
      expect(inProcess()).toEqual([stuck, suspect]);
    });

    it('gives each once, keeps none, and never begins more than a suspect in process allows', () => {
      const step = fc.oneof(fc.constantFrom(Infinity, Infinity, 1, 3), fc.constant('finish' as const));
      fc.assert(
        fc.property(fc.array(step, { maxLength: 120 }), fc.nat(), (steps, pick) => {
          const { queue, finish, inProcess } = working(5);
          const begun = new Set<Delivery>();
          let pushed = 0;
          const check = () => {
            const now = inProcess();
            for (const one of now) begun.add(one);
            expect(now.length).toBeLessThanOrEqual(
              Math.min(...now.map(({ suspicion }) => suspicion.company)),
            );
          };
          for (const [index, what] of steps.entries()) {
            const now = inProcess();
            if (what !== 'finish') queue.push(delivery(++pushed, what));
            else if (now.length > 0) finish(now[(pick + index) % now.length] as Delivery);
            check();
          }
          while (inProcess().length > 0) {
            finish(inProcess()[0] as Delivery);
            check();
          }
          expect(begun.size).toBe(pushed);
        }),
      );
    });
  });
});
