import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { maskCredentials } from '../config/settings.js';
import { Broker, firstLine, serverVersion, START_TIMEOUT_MS } from './broker.js';
import { findServer, installServer, startPrivateServer } from './private-broker.js';

const run = promisify(execFile);

/** The image of docker-compose.yml. */
const BROKER_IMAGE = 'rabbitmq:4-management-alpine';
const GIVEN_TIMEOUT_MS = 10_000;

/**
 * The first of: `RABBITMQ_URL`; a container, where a Docker engine answers and has or gets the image; a private
 * `rabbitmq-server`; the same after installing it, as root on Debian or Ubuntu.
 *
 * @param say told each thing that is started or installed
 * @throws Error that lists these ways
 */
export async function findBroker(say: (line: string) => void, signal?: AbortSignal): Promise<Broker> {
  const [url] = process.env['RABBITMQ_URL']?.split(',') ?? [];
  if (url) return givenBroker(url, signal);
  const container = await startContainer(say, signal);
  if (container) return container;
  if (!(await findServer())) await installServer(say, signal);
  const server = await findServer();
  if (server) return startPrivateServer([server], say, signal);
  throw new Error(
    'there is no RabbitMQ to work with. Any of these will do: set RABBITMQ_URL to a running one; start Docker; ' +
      'put rabbitmq-server on the PATH; run as root on Debian or Ubuntu, so that it can be installed',
  );
}

async function givenBroker(url: string, signal?: AbortSignal): Promise<Broker> {
  try {
    const version = await serverVersion(url, GIVEN_TIMEOUT_MS, signal);
    return { url, description: `RabbitMQ ${version} at RABBITMQ_URL`, stop: async () => {} };
  } catch (error) {
    throw new Error(`no RabbitMQ answers at RABBITMQ_URL, ${maskCredentials(url)} (${firstLine(error)})`, {
      cause: error,
    });
  }
}

async function startContainer(
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<Broker | undefined> {
  // Its reaper would be a second image to get; what is started here is stopped here.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 });
  } catch {
    return undefined;
  }
  try {
    const { RabbitMQContainer } = await import('@testcontainers/rabbitmq');
    say(`starting ${BROKER_IMAGE} in Docker`);
    const container = await new RabbitMQContainer(BROKER_IMAGE).start();
    const url = container.getAmqpUrl().replace('amqp://', 'amqp://guest:guest@');
    const stop = async () => {
      await container.stop();
    };
    const version = await serverVersion(url, START_TIMEOUT_MS, signal).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    return {
      url,
      description: `RabbitMQ ${version} in Docker (${BROKER_IMAGE})`,
      control: { file: 'docker', args: ['exec', container.getId(), 'rabbitmqctl', '--quiet'], env: {} },
      stop,
    };
  } catch (error) {
    signal?.throwIfAborted();
    say(`Docker answers, but ${BROKER_IMAGE} does not start (${firstLine(error)})`);
    return undefined;
  }
}
