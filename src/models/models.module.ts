import { Logger, Module } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { Capacity, CapacityPlan } from './capacity.js';
import { ModelRepository } from './model.repository.js';

@Module({
  providers: [
    {
      provide: ModelRepository,
      useFactory: ({ MODELS_DIR, DEFAULT_MODEL }: Settings) => {
        const repository = ModelRepository.open(MODELS_DIR, DEFAULT_MODEL);
        const logger = new Logger('Models');
        for (const line of repository.passedOver) logger.warn(line);
        return repository;
      },
      inject: [Settings],
    },
    {
      provide: CapacityPlan,
      useFactory: (settings: Settings, models: ModelRepository) => new CapacityPlan(settings, models.all),
      inject: [Settings, ModelRepository],
    },
    { provide: Capacity, useExisting: CapacityPlan },
  ],
  exports: [ModelRepository, Capacity, CapacityPlan],
})
export class ModelsModule {}
