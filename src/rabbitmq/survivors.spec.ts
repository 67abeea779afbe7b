import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { consumeMessage } from '../../test/support/messages.js';
import { Survivors } from './survivors.js';

const message = (messageId: string, body = 'body') => consumeMessage(Buffer.from(body), { messageId });

describe('Survivors', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('counts how often each message went back', () => {
    const survivors = new Survivors();
    survivors.remember([message('a'), message('b')]);
    survivors.remember([message('a')]);
    expect(['a', 'b', 'c'].map((id) => survivors.timesSurvived(message(id)))).toEqual([2, 1, 0]);
  });

  it('counts once what went back at once, also where messages are all the same', () => {
    const survivors = new Survivors();
    survivors.remember([message('a'), message('a')]);
    expect(survivors.timesSurvived(message('a'))).toBe(1);
  });

  it.each([
    ['message_id', { messageId: 'b' }],
    ['correlation_id', { correlationId: 'b' }],
    ['reply_to', { replyTo: 'b' }],
  ])('tells messages apart by %s', (_name, properties) => {
    const survivors = new Survivors();
    survivors.remember([consumeMessage(Buffer.from('body'), {})]);
    expect(survivors.timesSurvived(consumeMessage(Buffer.from('body'), properties))).toBe(0);
  });

  it('tells messages apart by their content, and long ones by their length', () => {
    const survivors = new Survivors();
    const long = Buffer.alloc(100_000);
    survivors.remember([message('a', 'one'), consumeMessage(long, {})]);
    expect(survivors.timesSurvived(message('a', 'two'))).toBe(0);
    expect(survivors.timesSurvived(consumeMessage(Buffer.alloc(100_000), {}))).toBe(1);
    expect(survivors.timesSurvived(consumeMessage(Buffer.alloc(100_001), {}))).toBe(0);
  });

  it('forgets the least recent beyond 20,000', () => {
    const survivors = new Survivors();
    survivors.remember([message('first'), message('second')]);
    survivors.remember([message('first')]);
    survivors.remember(Array.from({ length: 19_999 }, (_, index) => message(String(index))));
    expect(['first', 'second', '19998'].map((id) => survivors.timesSurvived(message(id)))).toEqual([2, 0, 1]);
  });

  it('excuses as many others as may be back because their acks were lost, for a minute', () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(0);
    const survivors = new Survivors();
    survivors.expectLostAcks(2);
    expect([1, 2, 3].map((id) => survivors.timesSurvived(message(String(id))))).toEqual([1, 1, 0]);
    survivors.expectLostAcks(2);
    now.mockReturnValue(60_001);
    expect(survivors.timesSurvived(message('late'))).toBe(0);
  });
});
