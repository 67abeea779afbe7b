import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { describeDifferences, differenceIn } from './queue-difference.js';

/** Of a cluster: the queue is there, and will be reachable again. */
const NODE_IS_DOWN = /is down or inaccessible/;

/** The broker's error about a queue, for a person where it will not pass by itself. */
export function topologyError(queue: string, error: unknown): unknown {
  const { code, message } = error as { code?: number; message: string };
  if (code === 404 && !NODE_IS_DOWN.test(message))
    return new StartupError(
      `queue '${queue}' does not exist; declare it as \`onnxmq topology\` prints it, or let the worker do so with TOPOLOGY=assert`,
      EXIT_CONFIG,
    );
  if (code !== 406) return error;
  const difference = differenceIn(error as Error);
  return wrongQueue(queue, difference ? describeDifferences([difference]) : message);
}

/** The queue must not be used as it is. */
export function wrongQueue(queue: string, reason: string): StartupError {
  return new StartupError(
    `queue '${queue}' exists with other arguments: ${reason}; change the setting, delete the queue, or set TOPOLOGY=none to use it as it is`,
    EXIT_CONFIG,
  );
}
