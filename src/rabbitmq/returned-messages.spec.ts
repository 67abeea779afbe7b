import { describe, expect, it } from '@jest/globals';
import type { Message } from 'amqplib';
import { ReturnedMessages } from './returned-messages.js';

const message = (routingKey: string, messageId?: string) =>
  ({ fields: { routingKey }, properties: { messageId } }) as unknown as Message;

describe('ReturnedMessages', () => {
  it('knows a message by its queue and its id, as often as it came back', () => {
    const returned = new ReturnedMessages();
    returned.add(message('answers', 'a'));
    returned.add(message('answers', 'a'));
    expect(returned.take('answers', 'b')).toBe(false);
    expect(returned.take('letters', 'a')).toBe(false);
    const taken = [1, 2, 3].map(() => returned.take('answers', 'a'));
    expect(taken).toEqual([true, true, false]);
  });

  it('knows one without an id', () => {
    const returned = new ReturnedMessages();
    returned.add(message('answers'));
    expect(returned.take('answers', undefined)).toBe(true);
  });

  it('knows one whose id has half a character in it, which no encoding keeps', () => {
    const returned = new ReturnedMessages();
    returned.add(message('answers', 'a\ufffd'));
    expect(returned.take('answers', 'a\ud800')).toBe(true);
  });
});
