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
});
