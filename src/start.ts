import 'reflect-metadata';
import type { AddressInfo, Server } from 'node:net';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { readSettings, Settings } from './config/settings.js';
import { StartupError } from './config/startup-error.js';
import { END_SIGNALS, leaveSignalsToNest } from './early-end.js';
import { InferencePipeline } from './inference/inference.pipeline.js';
import { InferenceService } from './inference/inference.service.js';
import { PinoLogger } from './logger.js';
import { Capacity } from './models/capacity.js';
import { ConfirmedPublisher } from './rabbitmq/confirmed.publisher.js';
import { RabbitMqTransport } from './rabbitmq/rabbitmq.transport.js';
import { tlsFiles } from './rabbitmq/tls-files.js';

/** Probes up, models warm, then consume: each step shows in the probes. */
async function start(settings: Settings): Promise<void> {
  tlsFiles(settings); // read when it connects; what is wrong with them is said before models are loaded
  const app = await NestFactory.create(AppModule, {
    logger: new PinoLogger(settings),
    abortOnError: false,
    forceCloseConnections: true, // a client that has connected and asks nothing would hold up the end
  });
  app.connectMicroservice(
    { inject: [RabbitMqTransport], useFactory: (strategy: RabbitMqTransport) => ({ strategy }) },
    { inheritAppConfig: true },
  );
  await app.listen(settings.HTTP_PORT, settings.HTTP_HOST);
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  new Logger('Health').log({ message: `probes at http://${settings.HTTP_HOST}:${port}/health/ready`, port });
  await app.get(InferenceService).start();
  app.get(InferencePipeline).open(app.get(Capacity).concurrency);
  app.get(ConfirmedPublisher).start();
  // Until here nothing is in hand, and a signal ends the worker at once.
  app.enableShutdownHooks([...END_SIGNALS], { useProcessExit: true });
  leaveSignalsToNest();
  await app.startAllMicroservices();
}

try {
  await start(readSettings());
} catch (error) {
  const { message, exitCode } = explain(error);
  for (const line of message.split('\n')) process.stderr.write(`onnxmq cannot start: ${line}\n`);
  process.exit(exitCode);
}

function explain(error: unknown): StartupError {
  if (error instanceof StartupError) return error;
  const { code, syscall, message, stack } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE')
    return new StartupError(
      `HTTP_PORT: ${message.replace(/^.*address already in use /, '')} is already in use; choose another`,
    );
  // Not by EACCES alone, which a file that cannot be read has as well.
  if (syscall === 'listen' || syscall === 'getaddrinfo')
    return new StartupError(`HTTP_HOST and HTTP_PORT: cannot listen there (${message})`);
  return new StartupError(stack ?? message);
}
