import { createHash } from 'node:crypto';
import { RequestMessage } from './message.js';
import { isShortString } from './short-string.js';

/**
 * The answer's `message_id`: the same for the same request whenever and wherever it is answered, so that a
 * consumer can drop duplicates.
 */
export function answerId(message: RequestMessage, id: string | undefined): string {
  const { messageId, correlationId } = message.properties;
  if (typeof messageId === 'string' && messageId !== '') return bounded(`${messageId}.answer`);
  const names = new Set([correlationId, id].filter((name) => typeof name === 'string' && name !== ''));
  return names.size > 0 ? bounded(`${[...names].join('.')}.answer`) : digest(message.content);
}

function bounded(name: string): string {
  return isShortString(name) ? name : digest(name);
}

function digest(content: Buffer | string): string {
  return `${createHash('sha256').update(content).digest('hex').slice(0, 32)}.answer`;
}
