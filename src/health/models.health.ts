import { Injectable } from '@nestjs/common';
import { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { InferenceService } from '../inference/inference.service.js';

/** Every model is loaded and warmed up. */
@Injectable()
export class ModelsIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly inference: InferenceService,
  ) {}

  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('models');
    return this.inference.isWarm ? indicator.up() : indicator.down({ reason: 'loading or warming up' });
  }
}
