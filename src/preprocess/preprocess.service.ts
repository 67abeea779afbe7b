import { Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { InferenceRequest, SPENT } from '../protocol/inference-request.js';
import { Row, rowsOf } from '../protocol/rows.js';
import { PreprocessModel, Preprocessor } from './preprocessor.js';
import { SharedDelay } from './shared-delay.js';
import { transform } from './transform.js';

/**
 * The default {@link Preprocessor}: holds the request against the model, waits as an I/O call would
 * (`preprocess.ioDelayMs`), then scales the rows as `model.json` says.
 */
@Injectable()
export class PreprocessService extends Preprocessor {
  private readonly io = new SharedDelay();

  constructor(private readonly settings: Settings) {
    super();
  }

  override async prepare(request: InferenceRequest, model: PreprocessModel): Promise<Row[]> {
    const rows = rowsOf(request, model.signature);
    request.input = SPENT;
    const ioDelayMs = this.settings.PREPROCESS_IO_DELAY_MS ?? model.config.preprocess.ioDelayMs;
    if (ioDelayMs > 0) await this.io.of(ioDelayMs);
    for (const row of rows) transform(row, model.config.preprocess);
    return rows;
  }
}
