import { Module } from '@nestjs/common';
import { PreprocessService } from './preprocess.service.js';
import { Preprocessor } from './preprocessor.js';

@Module({
  providers: [{ provide: Preprocessor, useClass: PreprocessService }],
  exports: [Preprocessor],
})
export class PreprocessModule {}
