import { describe, expect, it } from '@jest/globals';
import { Exchanges } from './exchanges.js';

describe('Exchanges', () => {
  it('keep of each message when it was due, sent and answered, and its answer, of whatever size', () => {
    const exchanges = new Exchanges();
    const answerOf = (index: number) =>
      Buffer.alloc(index === 1501 ? 3 << 20 : 1 + (index % 1000), index % 256);
    for (let index = 0; index < 5000; index++) exchanges.send(index, index + 1, index + 2);
    for (let index = 4999; index >= 0; index -= 2)
      expect(exchanges.receive(index, answerOf(index), index + 3)).toBe(true);
    for (let index = 0; index < 5000; index++) {
      const isAnswered = index % 2 === 1;
      const { dueAt, sentAt, answeredAt } = exchanges;
      const times = [dueAt, sentAt, answeredAt].map((all) => all[index]);
      expect(times).toEqual([index + 1, index + 2, isAnswered ? index + 3 : 0]);
      expect(exchanges.answerTo(index)).toEqual(isAnswered ? answerOf(index) : undefined);
    }
  });

  it('take no answer twice, nor one to nothing', () => {
    const exchanges = new Exchanges();
    exchanges.send(0, 1, 1);
    expect(exchanges.receive(0, Buffer.from('first'), 2)).toBe(true);
    for (const index of [0, 1, NaN, -1])
      expect(exchanges.receive(index, Buffer.from('other'), 3)).toBe(false);
    expect(exchanges.answerTo(0)?.toString()).toBe('first');
  });
});
