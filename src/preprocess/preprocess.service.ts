import { Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { ModelConfig } from '../models/model-config.js';
import { InferenceRequest, SPENT } from '../protocol/inference-request.js';
import { Rows, rowsOf } from '../protocol/rows.js';
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

  override prepare(request: InferenceRequest, model: PreprocessModel): Promise<Rows> {
    let rows: Rows;
    try {
      rows = rowsOf(request, model.signature);
    } catch (error) {
      return Promise.reject(error);
    }
    request.input = SPENT;
    request.json = undefined; // of a compressed body, nothing else holds it
    const { preprocess } = model.config;
    const ioDelayMs = this.settings.PREPROCESS_IO_DELAY_MS ?? preprocess.ioDelayMs;
    if (ioDelayMs === 0) return Promise.resolve(transformed(rows, preprocess));
    return this.io.of(ioDelayMs).then(() => transformed(rows, preprocess));
  }
}

function transformed(rows: Rows, steps: ModelConfig['preprocess']): Rows {
  transform(rows, steps);
  return rows;
}
