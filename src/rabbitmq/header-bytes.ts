/** A name is a short string in AMQP. */
const MAX_NAME_BYTES = 255;
/** amqplib writes each number of at least this size as a whole one, and cannot where it is none. */
const WHOLE_FROM = 2 ** 50;
const MAX_UINT32 = 2 ** 32;

/**
 * How many bytes amqplib needs for a header, as it writes tables (its `lib/codec.js`).
 *
 * @returns undefined for what it may have read, but cannot write
 */
export function headerBytes(name: string, value: unknown): number | undefined {
  const nameBytes = Buffer.byteLength(name);
  const valueBytes = nameBytes > MAX_NAME_BYTES ? undefined : bytesOf(value);
  return valueBytes === undefined ? undefined : 1 + nameBytes + valueBytes;
}

/** With the letter that says of which type it is. */
function bytesOf(value: unknown): number | undefined {
  switch (typeof value) {
    case 'string':
      return 5 + Buffer.byteLength(value);
    case 'number':
      return bytesOfNumber(value);
    case 'boolean':
      return 2;
    case 'object':
      return bytesOfObject(value);
    default:
      return undefined;
  }
}

function bytesOfNumber(value: number): number | undefined {
  const isWhole = Number.isInteger(value);
  if (Number.isNaN(value) || value < -(2 ** 63)) return undefined;
  if (value >= 2 ** 63) return 9;
  if (!isWhole) return Math.abs(value) < WHOLE_FROM ? 9 : undefined;
  if (value >= -0x80 && value < 0x80) return 2;
  if (value >= -0x8000 && value < 0x8000) return 3;
  return value >= -0x80000000 && value < 0x80000000 ? 5 : 9;
}

function bytesOfObject(value: object | null): number | undefined {
  if (value === null) return 1;
  if (Buffer.isBuffer(value)) return 5 + value.length;
  if (Array.isArray(value)) return sum(value.map(bytesOf));
  if (Object.hasOwn(value, '!')) return bytesOfTyped(value as { '!': unknown; value?: unknown });
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return sum(entries.map(([name, inner]) => headerBytes(name, inner)));
}

/** What amqplib reads as `{ '!': type, value }`; a table of the producer's with the key `!` looks the same. */
function bytesOfTyped({ '!': type, value }: { '!': unknown; value?: unknown }): number | undefined {
  if (type === 'timestamp')
    return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 64 ? 9 : undefined;
  if (type !== 'decimal' || typeof value !== 'object' || value === null) return undefined;
  const { places, digits } = value as { places?: unknown; digits?: unknown };
  return isBelow(places, 256) && isBelow(digits, MAX_UINT32) ? 6 : undefined;
}

function isBelow(value: unknown, limit: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < limit;
}

/** Of a table or a list: its letter, its length, and what is in it. */
function sum(parts: readonly (number | undefined)[]): number | undefined {
  let total = 5;
  for (const part of parts) {
    if (part === undefined) return undefined;
    total += part;
  }
  return total;
}
