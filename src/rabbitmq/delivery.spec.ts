import { describe, expect, it } from '@jest/globals';
import { consumeMessage, SettlingChannel } from '../../test/support/messages.js';
import { AckCoalescer } from './ack.coalescer.js';
import { Delivery } from './delivery.js';

function inHand(headers: object = {}) {
  const channel = new SettlingChannel();
  const acks = new AckCoalescer(channel);
  let timesSettled = 0;
  let timesHandedBack = 0;
  const delivery = new Delivery(consumeMessage({}, { headers }, 7), acks, {
    onSettled: () => timesSettled++,
    onHandedBack: () => timesHandedBack++,
    onResting: () => {},
  });
  const settlements = () => {
    acks.flush();
    return channel.settlements;
  };
  return {
    delivery,
    acks,
    settlements,
    timesSettled: () => timesSettled,
    timesHandedBack: () => timesHandedBack,
  };
}

const WAYS = ['ack', 'handBack', 'drop'] as const;

describe('Delivery', () => {
  it.each([
    ['ack', ['ack 7']],
    ['handBack', ['nack 7']],
    ['drop', []],
  ] as const)('%s tells the broker %j, and that it is settled', (way, expected) => {
    const { delivery, settlements, timesSettled } = inHand();
    expect(timesSettled()).toBe(0);
    delivery[way]();
    expect(settlements()).toEqual(expected);
    expect(timesSettled()).toBe(1);
  });

  it.each(WAYS)('settles once: nothing that follows %s does anything', (way) => {
    const { delivery, settlements, timesSettled } = inHand();
    delivery[way]();
    const told = [...settlements()];
    for (const again of WAYS) delivery[again]();
    expect(settlements()).toEqual(told);
    expect(timesSettled()).toBe(1);
  });

  it('is stale once its channel is gone, and then settles without telling anybody', () => {
    for (const way of WAYS) {
      const { delivery, acks, settlements, timesSettled } = inHand();
      expect(delivery.isStale).toBe(false);
      acks.close();
      expect(delivery.isStale).toBe(true);
      delivery[way]();
      expect(settlements()).toEqual([]);
      expect(timesSettled()).toBe(1);
    }
  });

  it('is stale once it is handed back, says so once, and is not by being acked', () => {
    const { delivery, timesHandedBack } = inHand();
    delivery.handBack();
    delivery.handBack();
    expect({ isStale: delivery.isStale, times: timesHandedBack() }).toEqual({ isStale: true, times: 1 });
    const acked = inHand();
    acked.delivery.ack();
    expect({ isStale: acked.delivery.isStale, times: acked.timesHandedBack() }).toEqual({
      isStale: false,
      times: 0,
    });
  });

  it('counts its attempts from the header, this one included', () => {
    expect(inHand().delivery.attempts).toBe(1);
    expect(inHand({ 'x-onnxmq-attempts': 2 }).delivery.attempts).toBe(3);
    expect(inHand({ 'x-onnxmq-attempts': 'many' }).delivery.attempts).toBe(1);
    expect(inHand({ 'x-attempts': 2 }).delivery.attempts).toBe(1); // a dead letter’s, which has come back
  });
});
