import { InvalidArgumentError } from 'commander';

/** Reads an option's value that counts something. */
export function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('It takes a whole number above 0.');
  return number;
}

/** Reads an option's value that measures something. */
export function positiveNumber(value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new InvalidArgumentError('It takes a number above 0.');
  return number;
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads a duration such as `90s`, `15m`, `2h`, `7d`, to ms. */
export function durationMs(value: string): number {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(value) ?? [];
  if (count === undefined) throw new InvalidArgumentError('It takes a duration such as 30s, 15m, 2h or 7d.');
  return Number(count) * (UNIT_MS[unit] ?? NaN);
}
