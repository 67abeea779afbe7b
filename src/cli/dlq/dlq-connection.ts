import { ChannelModel, connect } from 'amqplib';
import { maskCredentials, Settings } from '../../config/settings.js';
import { credentialsOf } from '../../rabbitmq/broker-url.js';
import { refusalBy } from '../../rabbitmq/connect-refusal.js';
import { tlsFiles } from '../../rabbitmq/tls-files.js';
import { onOwnChannel } from '../../rabbitmq/own-channel.js';
import { deadLetterQueue, queuesOf } from '../../rabbitmq/topology.js';
import { firstLine } from '../broker.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** @throws Error that says of each URL why not */
export async function connectToAny(settings: Settings): Promise<ChannelModel> {
  const problems: string[] = [];
  for (const url of settings.RABBITMQ_URL)
    try {
      return await connect(url, {
        noDelay: true,
        timeout: CONNECT_TIMEOUT_MS,
        clientProperties: { connection_name: `onnxmq dlq ${process.pid}` },
        ...tlsFiles(settings),
        credentials: credentialsOf(url),
      });
    } catch (error) {
      problems.push(
        `no RabbitMQ answers at ${maskCredentials(url)} (${refusalBy(error, url) ?? firstLine(error)})`,
      );
    }
  throw new Error(problems.join('; '));
}

/** @throws Error for a person, with that hint, when there is no such queue */
export async function checkQueue(connection: ChannelModel, queue: string, hint: string): Promise<void> {
  await onOwnChannel(connection, async (channel) => {
    await channel.checkQueue(queue);
  }).catch((error: Error & { code?: number }) => {
    throw error.code === 404 ? new Error(`there is no queue '${queue}'; ${hint}`, { cause: error }) : error;
  });
}

/** Declares the queue, which exists, as the worker would: refused where it was declared in another way. */
export async function hasNoDeliveryLimit(connection: ChannelModel, settings: Settings): Promise<boolean> {
  const dead = queuesOf(settings).find(({ name }) => name === deadLetterQueue(settings));
  return onOwnChannel(connection, async (channel) => {
    await channel.assertQueue(dead?.name ?? '', dead?.options);
  }).then(
    () => true,
    () => false,
  );
}
