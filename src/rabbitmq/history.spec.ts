import { describe, expect, it } from '@jest/globals';
import { forgetFormerLife, historyHeaders, historyOf, isCopy, isHistory } from './history.js';

const history = {
  attempts: 3,
  excusedAttempts: 1,
  unknownModelAttempts: 1,
  crashes: 2,
  firstFailedAt: '2026-11-25T11:00:00.000Z',
};
const NEW = { attempts: 0, excusedAttempts: 0, unknownModelAttempts: 0, crashes: 0 };
const died = (...queues: unknown[]) => ({ 'x-death': queues.map((queue) => ({ queue, count: 1 })) });

describe('the history of a request', () => {
  it('is read from the copy as it was written', () => {
    const headers = historyHeaders(history);
    expect(historyOf(headers)).toEqual(history);
    expect(isCopy(headers)).toBe(true);
    expect(Object.keys(headers).every(isHistory)).toBe(true);
    expect(historyHeaders(NEW)).toEqual({ 'x-onnxmq-attempts': 0 });
  });

  it('passes on a deadline as a moment', () => {
    const before = Date.now();
    const { 'x-onnxmq-deadline': moment } = historyHeaders({
      ...history,
      deadline: performance.now() + 60_000,
    });
    expect(Number.isInteger(moment)).toBe(true);
    expect(Number(moment) - before).toBeGreaterThanOrEqual(59_999);
  });

  it('is none where no worker has made a copy, whatever a dead letter says', () => {
    const letter = { 'x-attempts': 4, 'x-crashes': 4, 'x-first-failed-at': history.firstFailedAt };
    for (const headers of [undefined, {}, letter]) {
      expect(historyOf(headers)).toEqual(NEW);
      expect(isCopy(headers)).toBe(false);
    }
  });

  it('is none as far as a producer wrote nonsense', () => {
    const headers = {
      'x-onnxmq-attempts': 'many',
      'x-onnxmq-crashes': -1,
      'x-onnxmq-attempts-excused': 2 ** 60,
      'x-onnxmq-first-failed-at': 'x'.repeat(1000),
    };
    expect(historyOf(headers)).toEqual(NEW);
  });

  it.each([
    ['it was dead-lettered by RabbitMQ from the request queue', died('inference'), NEW],
    ['and from a retry queue before', died('inference', 'inference.retry.1000'), NEW],
    ['it has only waited in a retry queue', died('inference.retry.1000'), history],
    ['it has waited nowhere', {}, history],
    ['the producer wrote nonsense', { 'x-death': 'never' }, history],
    ['the producer wrote deaths of no queue', { 'x-death': [null, 7] }, NEW],
  ])('of a copy that is moved back where %s', (_, deaths, expected) => {
    const headers: Record<string, unknown> = { own: 1, ...historyHeaders(history), ...deaths };
    forgetFormerLife(headers);
    expect(historyOf(headers)).toEqual(expected);
    expect(headers).toMatchObject({ own: 1, ...deaths });
  });
});
