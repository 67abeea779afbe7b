import { createHistogram, RecordableHistogram } from 'node:perf_hooks';
import { Injectable } from '@nestjs/common';

/** What the worker did in a span of time. */
export interface ActivitySummary {
  readonly answered: number;
  readonly deadLettered: number;
  readonly retried: number;
  readonly batches: number;
  /** Rows in those batches. */
  readonly rows: number;
  /** Batches of which a row was run again alone, and compared. */
  readonly checks: number;
  /** From receipt to confirmed answer, in ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Counts what happens to messages and batches. */
@Injectable()
export class Activity {
  private answeredCount = 0;
  private deadLetteredCount = 0;
  private retriedCount = 0;
  private batches = 0;
  private rows = 0;
  private checks = 0;
  private latencyUs: RecordableHistogram = createHistogram();

  /** @param latencyMs from receipt to confirmed answer */
  answered(latencyMs: number): void {
    this.answeredCount++;
    this.latencyUs.record(Math.max(1, Math.round(latencyMs * 1000)));
  }

  deadLettered(): void {
    this.deadLetteredCount++;
  }

  retried(): void {
    this.retriedCount++;
  }

  /** A row of a batch was run again alone, to see whether it gets the same answer. */
  batchChecked(): void {
    this.checks++;
  }

  batchRan(rows: number): void {
    this.batches++;
    this.rows += rows;
  }

  /** What happened since the last call. */
  takeSummary(): ActivitySummary {
    const summary = {
      answered: this.answeredCount,
      deadLettered: this.deadLetteredCount,
      retried: this.retriedCount,
      batches: this.batches,
      rows: this.rows,
      checks: this.checks,
      p50Ms: this.latencyUs.percentile(50) / 1000,
      p99Ms: this.latencyUs.percentile(99) / 1000,
    };
    this.answeredCount = this.deadLetteredCount = this.retriedCount = this.batches = this.rows = 0;
    this.checks = 0;
    this.latencyUs.reset();
    return summary;
  }
}
