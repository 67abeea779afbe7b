import { InvalidArgumentError } from 'commander';

/** Reads an option's value that counts something. */
export function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('It takes a whole number above 0.');
  return number;
}
