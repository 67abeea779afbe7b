import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Stage } from './stage.js';

/** Settings of a worker whose model squares numbers below 10; on others the runtime fails. */
export const LOOKUP = { MODELS_DIR: 'test/support/models', DEFAULT_MODEL: 'lookup' };

/** The same, but for want of memory: its requests are tried again. */
export const SCARCE_LOOKUP = {
  ...LOOKUP,
  NODE_OPTIONS: '--import ./test/support/hooks/scarce-memory.mjs',
};

/** A time in which every run fails, or every run of one model, in workers with these settings. */
export class ModelOutage {
  readonly env: Readonly<Record<string, string>>;
  private readonly file: string;

  /** @param input of the only model that fails */
  constructor(stage: Stage, input = '') {
    const folder = mkdtempSync(join(tmpdir(), 'onnxmq-test-'));
    stage.atEnd(async () => rmSync(folder, { recursive: true }));
    this.file = join(folder, 'outage');
    this.env = {
      ...LOOKUP,
      NODE_OPTIONS: '--import ./test/support/hooks/failing-runs.mjs',
      OUTAGE_FILE: this.file,
      OUTAGE_INPUT: input,
    };
  }

  begin(): void {
    writeFileSync(this.file, '');
  }

  end(): void {
    rmSync(this.file);
  }
}
