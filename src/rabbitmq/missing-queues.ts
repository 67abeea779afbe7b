import { Logger } from '@nestjs/common';
import type { ChannelModel } from 'amqplib';
import { Settings } from '../config/settings.js';
import { ensureTopology, queuesOf } from './topology.js';

/** The worker's own queues that somebody has deleted. They are declared again where the worker may (`TOPOLOGY=assert`). */
export class MissingQueues {
  private readonly logger = new Logger('RabbitMQ');
  private declaring: Promise<boolean> | undefined;

  /** @param connection the present one */
  constructor(
    private readonly settings: Settings,
    private readonly connection: () => ChannelModel | undefined,
  ) {}

  /** @returns whether the queue is there again, or may be on the next connection */
  async restore(queue: string): Promise<boolean> {
    const isOwn = queuesOf(this.settings).some(({ name }) => name === queue);
    if (!isOwn || this.settings.TOPOLOGY !== 'assert') return false;
    this.declaring ??= this.declare(queue).finally(() => (this.declaring = undefined));
    return this.declaring;
  }

  private async declare(missing: string): Promise<boolean> {
    const connection = this.connection();
    if (!connection) return true;
    try {
      await ensureTopology(connection, this.settings);
      this.logger.warn(`the queue '${missing}' was gone, and has been declared again`);
      return true;
    } catch (error) {
      if (this.connection() !== connection) return true;
      this.logger.error(`cannot declare '${missing}' again: ${(error as Error).message}`);
      return false;
    }
  }
}
