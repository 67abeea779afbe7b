import type { ConsumeMessage } from 'amqplib';

/** What is known of a dead letter without its body. */
export interface LetterSummary {
  /** Its place in the queue, from 1. */
  readonly position: number;
  readonly messageId?: string;
  readonly correlationId?: string;
  /** Why it is dead; of a letter that RabbitMQ itself put there, RabbitMQ's reason: `DELIVERY_LIMIT`. */
  readonly code: string;
  readonly model?: string;
  readonly attempts?: number;
  /** ISO 8601. */
  readonly firstFailedAt?: string;
  readonly error?: string;
  readonly bytes: number;
}

/** RabbitMQ's own account of a death, the latest first. */
interface Death {
  readonly reason?: unknown;
  readonly time?: { readonly value?: unknown };
}

export function summaryOf({ content, properties }: ConsumeMessage, position: number): LetterSummary {
  const headers: Record<string, unknown> = properties.headers ?? {};
  const deaths = headers['x-death'];
  const [death] = Array.isArray(deaths) ? (deaths as Death[]) : [];
  const attempts = headers['x-attempts'];
  return {
    position,
    messageId: text(properties.messageId),
    correlationId: text(properties.correlationId),
    code: text(headers['x-error-code']) ?? text(death?.reason)?.toUpperCase() ?? '-',
    model: text(headers['x-model']),
    attempts: typeof attempts === 'number' ? attempts : undefined,
    firstFailedAt: isoTime(headers['x-first-failed-at']) ?? isoTime(death?.time?.value),
    error: text(headers['x-error-message']),
    bytes: content.length,
  };
}

/** Anyone may have written these headers: what is not what it should be is left out. */
function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The worker writes ISO 8601, RabbitMQ seconds since 1970. */
function isoTime(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const date = new Date(typeof value === 'number' ? value * 1000 : value);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
