import { Module } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { Capacity, planCapacity } from './capacity.js';
import { ModelRepository } from './model.repository.js';

@Module({
  providers: [
    {
      provide: ModelRepository,
      useFactory: ({ MODELS_DIR, DEFAULT_MODEL }: Settings) =>
        ModelRepository.open(MODELS_DIR, DEFAULT_MODEL),
      inject: [Settings],
    },
    {
      provide: Capacity,
      useFactory: (settings: Settings, models: ModelRepository) => planCapacity(settings, models.all),
      inject: [Settings, ModelRepository],
    },
  ],
  exports: [ModelRepository, Capacity],
})
export class ModelsModule {}
