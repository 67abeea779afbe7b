import { Injectable, Type } from '@nestjs/common';
import {
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import { ApplicationConfig, ExternalContextCreator } from '@nestjs/core';

/** Where Nest keeps an application's configuration; nothing that can be injected has it in the open. */
interface ConfigHolder {
  readonly container?: { readonly applicationConfig?: ApplicationConfig };
}

/** What Nest notes of a decorated parameter. */
interface ParameterMetadata {
  readonly pipes: readonly unknown[];
  /** The part of the payload that it is. */
  readonly data?: unknown;
  readonly schema?: unknown;
  /** Gives the value of a parameter with a decorator of one's own. */
  readonly factory?: unknown;
}

/** Knows whether anybody has put a guard, a pipe, an interceptor or a hook before a handler. */
@Injectable()
export class NestEnhancers {
  constructor(private readonly creator: ExternalContextCreator) {}

  /**
   * Whether Nest has something to do before it calls a handler. Asked once the application is initialised; where
   * Nest does not tell, it has.
   */
  precede(controller: Type, method: string): boolean {
    const config = (this.creator as unknown as ConfigHolder).container?.applicationConfig;
    if (!config) return true;
    const global = [
      config.getGlobalGuards(),
      config.getGlobalRequestGuards(),
      config.getGlobalPipes(),
      config.getGlobalRequestPipes(),
      config.getGlobalInterceptors(),
      config.getGlobalRequestInterceptors(),
      config.getGlobalPreRequestHooks(),
    ];
    const handler = (controller.prototype as Record<string, object>)[method] as object;
    const own = [GUARDS_METADATA, PIPES_METADATA, INTERCEPTORS_METADATA].flatMap((key) => [
      (Reflect.getMetadata(key, controller) as unknown[] | undefined) ?? [],
      (Reflect.getMetadata(key, handler) as unknown[] | undefined) ?? [],
    ]);
    const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) as object | undefined;
    return (
      [...global, ...own].some((enhancers) => enhancers.length > 0) ||
      Object.values(parameters ?? {}).some(isMade)
    );
  }
}

/** Whether a parameter is more than the payload or the context as it is. */
function isMade({ pipes, data, schema, factory }: ParameterMetadata): boolean {
  return pipes.length > 0 || [data, schema, factory].some((maker) => maker !== undefined);
}
