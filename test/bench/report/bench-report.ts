import { readFileSync } from 'node:fs';
import { Measurement } from '../figures.js';
import { Check } from '../targets.js';

/** All that is known of one bench: the content of bench.json. */
export interface BenchReport {
  /** ISO 8601. */
  readonly date: string;
  readonly machine: string;
  /** Of the contestants, and of the load generator. */
  readonly node: string;
  readonly harnessNode: string;
  readonly broker: string;
  /** What a reader of the figures must know. */
  readonly conditions: readonly string[];
  readonly effort: string;
  readonly rounds: number;
  readonly durationS: number;
  readonly contestants: readonly { readonly name: string; readonly about: string }[];
  /** One for each run, as measured. */
  readonly measurements: readonly Measurement[];
  readonly medians: readonly Omit<Measurement, 'round'>[];
  readonly checks: readonly Check[];
  /** Runs that gave no figures, and why. */
  readonly failures: readonly string[];
}

export function readReport(path: string): BenchReport {
  return JSON.parse(readFileSync(path, 'utf8')) as BenchReport;
}
