import { Injectable } from '@nestjs/common';
import { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Outage } from '../inference/outage.js';

/** Messages do not fail for reasons that are not theirs. The log says more than the code: here it could be anybody's. */
@Injectable()
export class OutageIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly outage: Outage,
  ) {}

  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('outage');
    const { code } = this.outage;
    return code === undefined ? indicator.up() : indicator.down({ code });
  }
}
