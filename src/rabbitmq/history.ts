import type { MessagePropertyHeaders } from 'amqplib';
import { RETRY_DEADLINE_HEADER } from '../protocol/request.deadline.js';
import { isRetryQueue } from './topology.js';

/** On a copy for which there was no room: `dead-letter`, where it is to go, or the moment of its next attempt, in ms since 1970. */
export const PUT_ASIDE_HEADER = 'x-put-aside';

/** What a request carries along from attempt to attempt. */
export interface History {
  /** Attempts that failed. */
  readonly attempts: number;
  /** Those among them that failed in an outage. */
  readonly excusedAttempts: number;
  /** Those among them that came to a worker without the model. */
  readonly unknownModelAttempts: number;
  /** Workers that ended with the message in hand. */
  readonly crashes: number;
  /** ISO 8601. */
  readonly firstFailedAt?: string;
  /** On the clock of `performance.now()`. */
  readonly deadline?: number;
}

/**
 * The headers that hold it, on the copies that workers make of a request and on nothing else. A dead letter has none
 * of them: one that is moved back to the request queue begins anew.
 */
const HEADERS = {
  attempts: 'x-onnxmq-attempts',
  excusedAttempts: 'x-onnxmq-attempts-excused',
  unknownModelAttempts: 'x-onnxmq-attempts-unknown-model',
  crashes: 'x-onnxmq-crashes',
  firstFailedAt: 'x-onnxmq-first-failed-at',
  deadline: RETRY_DEADLINE_HEADER,
} as const;

const NAMES: ReadonlySet<string> = new Set(Object.values(HEADERS));
const NEW: History = { attempts: 0, excusedAttempts: 0, unknownModelAttempts: 0, crashes: 0 };
/** Of a moment in ISO 8601. */
const MAX_MOMENT_LENGTH = 100;

/** Whether the message is a copy that a worker made of a request. */
export function isCopy(headers: MessagePropertyHeaders | undefined): boolean {
  return headers?.[HEADERS.attempts] !== undefined;
}

/** The history of a request, but for its deadline, which is read with the others. */
export function historyOf(headers: MessagePropertyHeaders | undefined): History {
  if (!headers || !isCopy(headers)) return NEW;
  const firstFailedAt: unknown = headers[HEADERS.firstFailedAt];
  return {
    attempts: count(headers[HEADERS.attempts]),
    excusedAttempts: count(headers[HEADERS.excusedAttempts]),
    unknownModelAttempts: count(headers[HEADERS.unknownModelAttempts]),
    crashes: count(headers[HEADERS.crashes]),
    ...(isMoment(firstFailedAt) ? { firstFailedAt } : {}),
  };
}

/** A history as headers. The deadline becomes a moment, as the time to it goes on while the copy waits. */
export function historyHeaders(history: History): Record<string, unknown> {
  const { attempts, excusedAttempts, unknownModelAttempts, crashes, firstFailedAt, deadline } = history;
  return {
    [HEADERS.attempts]: attempts,
    ...(excusedAttempts === 0 ? {} : { [HEADERS.excusedAttempts]: excusedAttempts }),
    ...(unknownModelAttempts === 0 ? {} : { [HEADERS.unknownModelAttempts]: unknownModelAttempts }),
    ...(crashes === 0 ? {} : { [HEADERS.crashes]: crashes }),
    ...(firstFailedAt === undefined ? {} : { [HEADERS.firstFailedAt]: firstFailedAt }),
    ...(deadline === undefined
      ? {}
      : { [HEADERS.deadline]: Date.now() + Math.round(deadline - performance.now()) }),
  };
}

/** Whether a header is one of those that hold a history. */
export function isHistory(name: string): boolean {
  return NAMES.has(name);
}

/**
 * Has a copy begin anew that has been among the dead letters: RabbitMQ itself puts some there, as they are, and it
 * writes into `x-death` that they came from elsewhere than from a retry queue.
 */
export function forgetFormerLife(headers: MessagePropertyHeaders): void {
  const deaths: unknown = headers['x-death'];
  if (!Array.isArray(deaths) || deaths.every(isOfRetryQueue)) return;
  for (const name of [...NAMES, PUT_ASIDE_HEADER]) delete headers[name];
}

function isOfRetryQueue(death: unknown): boolean {
  const queue: unknown = (death as { queue?: unknown } | null)?.queue;
  return typeof queue === 'string' && isRetryQueue(queue);
}

/** Anyone may have written these headers. */
function count(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : 0;
}

function isMoment(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_MOMENT_LENGTH;
}
