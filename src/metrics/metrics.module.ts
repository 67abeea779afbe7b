import { Module } from '@nestjs/common';
import { Activity } from './activity.js';

@Module({ providers: [Activity], exports: [Activity] })
export class MetricsModule {}
