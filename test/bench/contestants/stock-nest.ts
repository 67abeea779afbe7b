/**
 * Nest's own `Transport.RMQ` with the same handler, as a good Nest developer would write it: manual acks, results
 * confirmed before the ack, as many messages at once as the prefetch allows, one row a run.
 */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { Controller, Injectable, Module, OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload, RmqContext, RmqOptions, Transport } from '@nestjs/microservices';
import { Channel, ConfirmChannel, connect, ConsumeMessage } from 'amqplib';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';

const { RABBITMQ_URL = '', REQUEST_QUEUE = '', MODELS_DIR = '', DEFAULT_MODEL = '' } = process.env;

interface InferRequest {
  readonly id: string;
  readonly data: number[];
}

@Injectable()
class InferenceService implements OnModuleInit {
  rows = 0;
  private session!: InferenceSession;
  private labels: string[] | undefined;
  private scale = 1;

  async onModuleInit(): Promise<void> {
    env.logLevel = 'error';
    const folder = `${MODELS_DIR}/${DEFAULT_MODEL}`;
    const { labels, preprocess } = JSON.parse(readFileSync(`${folder}/model.json`, 'utf8')) as {
      labels?: string[];
      preprocess?: { scale?: number };
    };
    this.labels = labels;
    this.scale = preprocess?.scale ?? 1;
    this.session = await InferenceSession.create(`${folder}/model.onnx`, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
    });
  }

  preprocess(data: number[]): Float32Array {
    return Float32Array.from(data, (value) => value * this.scale);
  }

  async infer(id: string, row: Float32Array): Promise<object> {
    const [input] = this.session.inputMetadata as InferenceSession.TensorValueMetadata[];
    const [name] = this.session.outputNames;
    const shape = [1, ...(input?.shape.slice(1).map(Number) ?? [])];
    const feeds = { [input?.name ?? '']: new Tensor('float32', row, shape) };
    const output = (await this.session.run(feeds))[name ?? ''] as Tensor;
    this.rows++;
    const data = Array.from(output.data as Float32Array);
    const best = data.indexOf(Math.max(...data));
    return {
      model_name: DEFAULT_MODEL,
      model_version: '1',
      id,
      outputs: [{ name, shape: output.dims, datatype: 'FP32', data }],
      parameters: this.labels && { label: [this.labels[best]], score: [data[best]] },
    };
  }
}

@Injectable()
class ResultPublisher implements OnModuleInit {
  private channel!: ConfirmChannel;

  async onModuleInit(): Promise<void> {
    this.channel = await (await connect(RABBITMQ_URL, { noDelay: true })).createConfirmChannel();
  }

  publish({ properties }: ConsumeMessage, body: object): Promise<void> {
    const { replyTo, correlationId, messageId } = properties;
    const options = {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      type: 'inference.result',
      correlationId,
      messageId: `${messageId}.answer`,
    };
    return new Promise((resolve, reject) => {
      const onConfirm = (error: Error | null) => (error ? reject(error) : resolve());
      this.channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(body)), options, onConfirm);
    });
  }
}

@Controller()
class InferenceController {
  private readonly ioDelayMs = Number(process.env['PREPROCESS_IO_DELAY_MS']);

  constructor(
    private readonly inference: InferenceService,
    private readonly results: ResultPublisher,
  ) {}

  @EventPattern('infer')
  async infer(@Payload() request: InferRequest, @Ctx() rmq: unknown): Promise<void> {
    const context = rmq as RmqContext; // the decorator's type asks for unknown
    const message = context.getMessage() as ConsumeMessage;
    if (this.ioDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.ioDelayMs));
    const answer = await this.inference.infer(request.id, this.inference.preprocess(request.data));
    await this.results.publish(message, answer);
    (context.getChannelRef() as Channel).ack(message);
  }
}

@Module({ controllers: [InferenceController], providers: [InferenceService, ResultPublisher] })
class AppModule {}

const app = await NestFactory.createMicroservice<RmqOptions>(AppModule, {
  logger: ['error', 'warn'],
  transport: Transport.RMQ,
  options: {
    urls: [RABBITMQ_URL],
    queue: REQUEST_QUEUE,
    noAssert: true,
    noAck: false,
    prefetchCount: Number(process.env['PREFETCH']),
    socketOptions: { connectionOptions: { noDelay: true } },
    // The messages are no Nest packets.
    deserializer: { deserialize: (data: InferRequest) => ({ pattern: 'infer', data }) },
  },
});
process.on('SIGTERM', () => {
  const { rows } = app.get(InferenceService);
  console.log(JSON.stringify({ batches: rows, rows }));
  process.exit(0);
});
await app.listen();
console.log('consuming');
