import type { ChannelModel, Options } from 'amqplib';
import { onOwnChannel } from './own-channel.js';

/** A property or an argument in which a queue differs from what the worker declares. Undefined: not set. */
export interface Difference {
  readonly name: string;
  readonly ours: string | undefined;
  readonly theirs: string | undefined;
  /** The type of theirs, which RabbitMQ says where ours is not set. */
  readonly type: string | undefined;
}

/**
 * Finds all differences of a queue that exists. RabbitMQ names one at a time, and changes nothing while there is one;
 * so the queue is declared again and again, each time with what it turned out to have.
 *
 * @throws the broker's error where it says something else, such as 403 for a user who may not declare the queue
 */
export async function differencesOf(
  connection: ChannelModel,
  queue: string,
  options: Options.AssertQueue,
): Promise<Difference[]> {
  const found: Difference[] = [];
  let declared = options;
  for (;;)
    try {
      const attempt = declared;
      await onOwnChannel(connection, (channel) => channel.assertQueue(queue, attempt));
      return found;
    } catch (error) {
      const difference = differenceIn(error as Error);
      if (difference && found.every(({ name }) => name !== difference.name)) {
        found.push(difference);
        declared = withTheirs(declared, difference);
      } else if (found.length > 0 && (error as { code?: number }).code === 406) {
        return found; // a queue of another type takes not all of the worker's arguments
      } else throw error;
    }
}

const INEQUIVALENT = /inequivalent arg '(.+?)' for .*?: received (.+?) but current is (.+?)"?$/s;

/** The difference that RabbitMQ refuses a declaration for; undefined where it does so for another reason. */
export function differenceIn({ message }: Error): Difference | undefined {
  const [, name, received, current] = INEQUIVALENT.exec(message) ?? [];
  if (name === undefined) return undefined;
  const { text: theirs, type } = readValue(current);
  return { name, ours: readValue(received).text, theirs, type };
}

/** `x-message-ttl is not set, the worker declares 1000`, and others in the same form. */
export function describeDifferences(differences: readonly Difference[]): string {
  return differences
    .map(({ name, ours, theirs }) => `${name} is ${plain(theirs)}, the worker declares ${plain(ours)}`)
    .join('; ');
}

function plain(value: string | undefined): string {
  if (value === undefined) return 'not set';
  return value === '' ? 'empty' : value;
}

/** In the broker's words: `none`, `'5'`, `the value '5' of type 'signedint'`. */
function readValue(words = ''): { text?: string; type?: string } {
  if (words === 'none') return {};
  const [, text, type] = /^(?:the value )?'(.*?)'(?: of type '(.*)')?$/s.exec(words) ?? [];
  return { text: text ?? words, type };
}

function withTheirs(declared: Options.AssertQueue, difference: Difference): Options.AssertQueue {
  const { name } = difference;
  if (name === 'durable') return { ...declared, durable: !declared.durable };
  if (name === 'auto_delete') return { ...declared, autoDelete: !declared.autoDelete };
  const { [name]: ours, ...others } = (declared.arguments ?? {}) as Record<string, unknown>;
  const theirs = typedValue(difference, typeof ours);
  return { ...declared, arguments: theirs === undefined ? others : { ...others, [name]: theirs } };
}

function typedValue({ theirs, type }: Difference, typeOfOurs: string): unknown {
  if (theirs === undefined || type === 'longstr' || typeOfOurs === 'string') return theirs;
  return theirs === 'true' || theirs === 'false' ? theirs === 'true' : Number(theirs);
}
