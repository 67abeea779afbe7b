import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CanActivate, ExecutionContext, INestApplication, Logger, Provider } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { MicroserviceOptions, RmqContext, RpcException } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { throwError } from 'rxjs';
import { quiet } from '../../test/support/memory-broker.js';
import { FakeChannel, FakeTransport } from '../../test/support/fake-channels.js';
import { consumeMessage } from '../../test/support/messages.js';
import { readSettings } from '../config/settings.js';
import { Delivery } from '../rabbitmq/delivery.js';
import { RabbitMqTransport } from '../rabbitmq/rabbitmq.transport.js';
import { FailureHandler } from './failure.handler.js';
import { InferenceController } from './inference.controller.js';
import { InferencePipeline } from './inference.pipeline.js';
import { NestEnhancers } from './nest-enhancers.js';

/** A guard that lets messages pass while it is told so. */
class Gate implements CanActivate {
  isOpen = true;
  readonly asked: { delivery: Delivery; transportContext: unknown }[] = [];

  canActivate(context: ExecutionContext): boolean {
    const rpc = context.switchToRpc();
    this.asked.push({ delivery: rpc.getData(), transportContext: rpc.getContext() });
    return this.isOpen;
  }
}

describe('InferenceController, in a Nest application', () => {
  let app: INestApplication;
  let transport: FakeTransport;
  let channel: FakeChannel;
  let accepted: Delivery[];
  let failed: { delivery: Delivery; error: unknown }[];

  beforeEach(() => {
    Logger.overrideLogger(false);
    accepted = [];
    failed = [];
  });
  afterEach(() => app.close());

  /** As `start.ts` does it. */
  async function start(...providers: Provider[]): Promise<void> {
    transport = new FakeTransport(readSettings({ TOPOLOGY: 'none' }), {
      prefetch: 32,
      concurrency: 16,
      longestIoWaitMs: 0,
    });
    const pipeline = { accept: (delivery: Delivery) => accepted.push(delivery) };
    const failures = {
      fail: async (delivery: Delivery, error: unknown) => void failed.push({ delivery, error }),
    };
    const testing = await Test.createTestingModule({
      controllers: [InferenceController],
      providers: [
        NestEnhancers,
        { provide: RabbitMqTransport, useValue: transport },
        { provide: InferencePipeline, useValue: pipeline },
        { provide: FailureHandler, useValue: failures },
        ...providers,
      ],
    }).compile();
    app = testing.createNestApplication({ logger: false });
    app.connectMicroservice<MicroserviceOptions>({ strategy: transport }, { inheritAppConfig: true });
    await app.init();
    const started = app.startAllMicroservices();
    await quiet();
    channel = await transport.fakeManager.connect();
    await started;
  }

  const tags = (deliveries: readonly Delivery[]) =>
    deliveries.map(({ message }) => message.fields.deliveryTag);

  it('takes messages straight from the transport where nothing is before it', async () => {
    await start();
    for (const tag of [1, 2]) channel.send(consumeMessage({}, {}, tag));
    expect(tags(accepted)).toEqual([1, 2]); // in the same turn
    expect(transport.handler).toBeDefined();
  });

  it('takes them by way of Nest, in their order, where a guard is bound globally', async () => {
    const gate = new Gate();
    await start({ provide: APP_GUARD, useValue: gate });
    expect(transport.handler).toBeUndefined();
    for (const tag of [1, 2, 3]) channel.send(consumeMessage({}, {}, tag));
    await quiet();
    expect(tags(gate.asked.map(({ delivery }) => delivery))).toEqual([1, 2, 3]);
    expect(gate.asked[0]?.transportContext).toBeInstanceOf(RmqContext);
    expect(accepted).toEqual(gate.asked.map(({ delivery }) => delivery));
    expect(failed).toEqual([]);
  });

  it('gives what a guard keeps from it to the pipeline, which settles it as failed', async () => {
    const gate = new Gate();
    await start({ provide: APP_GUARD, useValue: gate });
    gate.isOpen = false;
    channel.send(consumeMessage({}, {}, 1));
    await quiet();
    gate.isOpen = true;
    channel.send(consumeMessage({}, {}, 2));
    await quiet();
    expect(tags(failed.map(({ delivery }) => delivery))).toEqual([1]);
    expect(tags(accepted)).toEqual([2]);
    expect(failed[0]?.error).toBeDefined();
  });

  it('gives it what an interceptor throws, in whatever way', async () => {
    let throwing: (error: Error) => unknown = (error) => throwError(() => error);
    const interceptor = { intercept: () => throwing(new RpcException('not now')) };
    await start({ provide: APP_INTERCEPTOR, useValue: interceptor });
    channel.send(consumeMessage({}, {}, 1));
    throwing = (error) => {
      throw error;
    };
    channel.send(consumeMessage({}, {}, 2));
    await quiet();
    expect(tags(failed.map(({ delivery }) => delivery))).toEqual([1, 2]);
    expect(accepted).toEqual([]);
  });
});
