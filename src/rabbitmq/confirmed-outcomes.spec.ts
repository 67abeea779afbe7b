import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { deliver } from '../../test/support/messages.js';
import { ConfirmedOutcomes } from './confirmed-outcomes.js';

const first = (messageId: string, properties = {}) => deliver({}, { messageId, ...properties }).delivery;
const again = (messageId: string, properties = {}, body = {}) =>
  deliver(body, { messageId, ...properties }, 2, { redelivered: true }).delivery;

describe('ConfirmedOutcomes', () => {
  let outcomes: ConfirmedOutcomes;
  beforeEach(() => {
    outcomes = new ConfirmedOutcomes({ prefetch: 4, concurrency: 4, longestIoWaitMs: 0 });
  });

  it('knows a redelivered message whose outcome was confirmed, once', () => {
    outcomes.remember(first('a'));
    expect(outcomes.has(again('b'))).toBe(false);
    expect(outcomes.has(again('a'))).toBe(true);
    expect(outcomes.has(again('a'))).toBe(false);
  });

  it('takes a message for new that is not redelivered, whatever its id', () => {
    outcomes.remember(first('a'));
    expect(outcomes.has(first('a'))).toBe(false);
  });

  it('tells apart the attempts of a request, and other bodies', () => {
    outcomes.remember(first('a'));
    expect(outcomes.has(again('a', { headers: { 'x-onnxmq-attempts': 1 } }))).toBe(false);
    expect(outcomes.has(again('a', {}, { data: [1] }))).toBe(false);
    expect(outcomes.has(again('a'))).toBe(true);
    outcomes.remember(deliver({ data: [1] }, { messageId: 'b' }).delivery);
    expect(outcomes.has(again('b', {}, { data: [2] }))).toBe(false);
    expect(outcomes.has(again('b', {}, { data: [1] }))).toBe(true);
  });

  it('takes a dead letter that is moved back for new: what it died of is confirmed, and no outcome of now', () => {
    outcomes.remember(first('a'));
    const letter = { headers: { 'x-first-failed-at': '2026-11-25T11:00:00.000Z', 'x-attempts': 1 } };
    expect(outcomes.has(again('a', letter))).toBe(false);
    outcomes.remember(first('a', letter));
    expect(outcomes.has(again('a', letter))).toBe(true);
  });

  it('tells apart requests of one id that are answered elsewhere, or as something else', () => {
    outcomes.remember(first('a', { correlationId: 'c', replyTo: 'answers' }));
    expect(outcomes.has(again('a', { correlationId: 'd', replyTo: 'answers' }))).toBe(false);
    expect(outcomes.has(again('a', { correlationId: 'c', replyTo: 'others' }))).toBe(false);
    expect(outcomes.has(again('a', { correlationId: 'c', replyTo: 'answers' }))).toBe(true);
  });

  it('counts requests of one id: each confirmed outcome stands for one of them', () => {
    outcomes.remember(first('a'));
    outcomes.remember(first('a'));
    expect([1, 2, 3].map(() => outcomes.has(again('a')))).toEqual([true, true, false]);
  });

  it('remembers nothing of requests without a message_id: two of them may be equal', () => {
    outcomes.remember(deliver({}).delivery);
    expect(outcomes.has(deliver({}, {}, 2, { redelivered: true }).delivery)).toBe(false);
  });

  it('remembers as many as may be in hand, and forgets the oldest first', () => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) outcomes.remember(first(id));
    expect(['a', 'b', 'e'].map((id) => outcomes.has(again(id)))).toEqual([false, true, true]);
    for (const id of ['f', 'g', 'h']) outcomes.remember(first(id));
    expect(['c', 'd', 'f', 'h'].map((id) => outcomes.has(again(id)))).toEqual([false, true, true, true]);
  });

  it('takes a request for new that comes when no ack can be on its way any longer', async () => {
    const now = jest.spyOn(performance, 'now');
    const at = performance.now();
    now.mockReturnValue(at);
    outcomes.remember(first('a'));
    await new Promise((resolve) => setImmediate(resolve));
    now.mockReturnValue(at + 60_001);
    expect(outcomes.has(again('a'))).toBe(false);
    now.mockRestore();
  });
});
