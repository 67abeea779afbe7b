import { Injectable } from '@nestjs/common';
import { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Outage } from '../inference/outage.js';

/**
 * Down while no model works. While some do not, they are named, and the worker is ready for the others. The log says more than the
 * code: here it could be anybody's.
 */
@Injectable()
export class OutageIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly outage: Outage,
  ) {}

  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('outage');
    const { code, models } = this.outage;
    if (code !== undefined) return indicator.down({ code });
    return models.length > 0 ? indicator.up({ models }) : indicator.up();
  }
}
