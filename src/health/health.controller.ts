import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheck, HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { LivenessIndicator } from './liveness.health.js';
import { ModelsIndicator } from './models.health.js';
import { OutageIndicator } from './outage.health.js';
import { RabbitMqIndicator } from './rabbitmq.health.js';

/** The probes. They read state in memory and never ask the broker. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly liveness: LivenessIndicator,
    private readonly models: ModelsIndicator,
    private readonly rabbitmq: RabbitMqIndicator,
    private readonly outage: OutageIndicator,
  ) {}

  /** Terminus answers 503 to every check once the shutdown has begun; a draining worker is alive nevertheless. */
  @Get('live')
  @HealthCheck()
  async live(): Promise<HealthCheckResult> {
    try {
      return await this.health.check([() => this.liveness.check()]);
    } catch (error) {
      const result =
        error instanceof ServiceUnavailableException && (error.getResponse() as HealthCheckResult);
      if (result && result.status === 'shutting_down' && Object.keys(result.error ?? {}).length === 0)
        return { ...result, status: 'ok' };
      throw error;
    }
  }

  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.models.check(),
      () => this.rabbitmq.check(),
      () => this.outage.check(),
    ]);
  }

  @Get('startup')
  @HealthCheck()
  startup(): Promise<HealthCheckResult> {
    return this.health.check([() => this.models.check()]);
  }
}
