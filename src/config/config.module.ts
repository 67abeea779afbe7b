import { Global, Module } from '@nestjs/common';
import { readSettings, Settings } from './settings.js';

/** Makes {@link Settings} injectable everywhere. */
@Global()
@Module({
  providers: [{ provide: Settings, useFactory: () => readSettings() }],
  exports: [Settings],
})
export class ConfigModule {}
