import { describe, expect, it } from '@jest/globals';
import {
  CallHandler,
  CanActivate,
  Controller,
  createParamDecorator,
  Global,
  INestApplication,
  INestMicroservice,
  Injectable,
  Module,
  NestInterceptor,
  PipeTransform,
  Provider,
  Scope,
  Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, ServerRMQ } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { InferenceController } from './inference.controller.js';
import { NestEnhancers } from './nest-enhancers.js';

@Injectable()
class Guard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class Pipe implements PipeTransform {
  transform(value: unknown): unknown {
    return value;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_: unknown, next: CallHandler) {
    return next.handle();
  }
}

@Injectable()
class Filter {
  catch(): void {}
}

@Injectable({ scope: Scope.REQUEST })
class RequestGuard extends Guard {}

const Custom = createParamDecorator(() => 1);

@Controller()
class Plain {
  @MessagePattern('infer')
  infer(@Payload() _delivery: unknown, @Ctx() _context: unknown): void {}

  @UseGuards(Guard)
  other(): void {}
}

@Controller()
@UseGuards(Guard)
class Guarded extends Plain {
  override infer(): void {}
}

@Controller()
class GuardedMethod {
  @UseGuards(Guard)
  infer(): void {}
}

@Controller()
@UsePipes(Pipe)
class Piped {
  infer(): void {}
}

@Controller()
class PipedMethod {
  @UsePipes(new Pipe())
  infer(): void {}
}

@Controller()
@UseInterceptors(Interceptor)
class Intercepted {
  infer(): void {}
}

@Controller()
class InterceptedMethod {
  @UseInterceptors(Interceptor)
  infer(): void {}
}

@Controller()
class PipedParameter {
  infer(@Payload(Pipe) _delivery: unknown): void {}
}

@Controller()
class PartOfPayload {
  infer(@Payload('message') _message: unknown): void {}
}

@Controller()
class CustomParameter {
  infer(@Custom() _value: unknown): void {}
}

@Controller()
@UseFilters(Filter)
class Filtered {
  infer(): void {}
}

interface Setting {
  readonly providers?: Provider[];
  readonly configure?: (app: INestApplication) => unknown;
  readonly controller?: Type;
}

/** As `start.ts` connects the transport. */
function hybrid(app: INestApplication): INestMicroservice {
  return app.connectMicroservice({ strategy: new ServerRMQ({}) }, { inheritAppConfig: true });
}

/** Whether anything precedes a controller's `infer` in an application so set up. */
async function precedes({ providers = [], configure, controller = Plain }: Setting): Promise<boolean> {
  // Where the handler is need not be where the enhancers are.
  @Global()
  @Module({ providers })
  class Elsewhere {}
  const testing = await Test.createTestingModule({
    imports: [Elsewhere],
    providers: [NestEnhancers],
  }).compile();
  const app = testing.createNestApplication({ logger: false });
  configure?.(app);
  await app.init();
  const answer = app.get(NestEnhancers).precede(controller, 'infer');
  await app.close();
  return answer;
}

describe('NestEnhancers', () => {
  it.each<[string, Setting]>([
    ['nothing', {}],
    ['onnxmq’s own controller', { controller: InferenceController }],
    [
      'a filter, which comes after',
      { providers: [{ provide: APP_FILTER, useClass: Filter }], controller: Filtered },
    ],
    ['a guard that is provided and bound to nothing', { providers: [Guard] }],
  ])('finds nothing before a handler with %s', async (_, setting) => {
    expect(await precedes(setting)).toBe(false);
  });

  it.each<[string, Setting]>([
    ['APP_GUARD', { providers: [{ provide: APP_GUARD, useClass: Guard }] }],
    ['APP_GUARD with a value', { providers: [{ provide: APP_GUARD, useValue: new Guard() }] }],
    [
      'APP_GUARD with the scope of a request',
      { providers: [{ provide: APP_GUARD, useClass: RequestGuard }] },
    ],
    ['APP_PIPE', { providers: [{ provide: APP_PIPE, useClass: Pipe }] }],
    [
      'APP_PIPE with the scope of a request',
      { providers: [{ provide: APP_PIPE, useClass: Pipe, scope: Scope.REQUEST }] },
    ],
    ['APP_INTERCEPTOR', { providers: [{ provide: APP_INTERCEPTOR, useClass: Interceptor }] }],
    [
      'APP_INTERCEPTOR with the scope of a request',
      { providers: [{ provide: APP_INTERCEPTOR, useClass: Interceptor, scope: Scope.REQUEST }] },
    ],
    ['useGlobalGuards', { configure: (app) => app.useGlobalGuards(new Guard()) }],
    ['useGlobalPipes', { configure: (app) => app.useGlobalPipes(new Pipe()) }],
    ['useGlobalInterceptors', { configure: (app) => app.useGlobalInterceptors(new Interceptor()) }],
    [
      'a hook before requests',
      { configure: (app) => hybrid(app).registerPreRequestHook((_, next) => next()) },
    ],
    ['useGlobalGuards of its microservice', { configure: (app) => hybrid(app).useGlobalGuards(new Guard()) }],
    ['UseGuards on its class', { controller: Guarded }],
    ['UseGuards on itself', { controller: GuardedMethod }],
    ['UsePipes on its class', { controller: Piped }],
    ['UsePipes on itself', { controller: PipedMethod }],
    ['UseInterceptors on its class', { controller: Intercepted }],
    ['UseInterceptors on itself', { controller: InterceptedMethod }],
    ['a pipe on its parameter', { controller: PipedParameter }],
    ['a parameter that is a part of the payload', { controller: PartOfPayload }],
    ['a parameter of one’s own', { controller: CustomParameter }],
  ])('finds what is before a handler with %s', async (_, setting) => {
    expect(await precedes(setting)).toBe(true);
  });

  it('supposes something where Nest does not tell', () => {
    expect(new NestEnhancers({} as never).precede(Plain, 'infer')).toBe(true);
  });
});
