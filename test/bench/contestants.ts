import { join } from 'node:path';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { Lab, NodeBinary } from './lab.js';

/** What a run asks of a contestant. */
export interface Task {
  readonly url: string;
  readonly requestQueue: string;
  readonly modelsDir: string;
  readonly model: string;
  readonly ioDelayMs: number;
  /** Settings of onnxmq beside its defaults. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Contestant {
  readonly name: string;
  /** One line for a reader. */
  readonly about: string;
  /** The file that Node runs, in the project's folder … */
  readonly file?: string;
  /** … or in this one, … */
  readonly folder?: string;
  /** … or the command of another language. */
  readonly command?: readonly string[];
  /** Another Node than the lab's. */
  readonly node?: NodeBinary;
  /** What it is told, beside what all are told. */
  readonly env?: Readonly<Record<string, string>>;
  /** True for one that handles one message at a time, and so is given few. */
  readonly isSequential?: boolean;
  /** Messages that it is given, as a share of those for the fastest. Default: 1. */
  readonly share?: number;
  /** False for one that only takes messages. */
  readonly answers?: boolean;
}

/** Most messages in hand that RabbitMQ allows for each consumer of a quorum queue. */
const PREFETCH = 2000;
/** The product finds these by itself. */
const GIVEN = { PREFETCH: String(PREFETCH), BATCH_MAX_SIZE: '64', BATCH_MAX_WAIT_MS: '2' };

/** The product as the image ships it. */
export const ONNXMQ: Contestant = {
  name: 'onnxmq',
  about: 'the product, as shipped, default settings',
  file: 'dist/main.js',
  env: {
    NODE_OPTIONS: '--max-semi-space-size=16',
    MALLOC_MMAP_THRESHOLD_: '131072',
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: '0',
    LOG_FORMAT: 'json',
    LOG_LEVEL: 'info',
  },
};

export const HAND_WRITTEN: Contestant = {
  name: 'hand-written',
  about: 'one plain file over amqplib and onnxruntime-node: batches, confirms, an ack each',
  file: builtFile('hand-written'),
  env: GIVEN,
};

/** Runs the model and nothing else: the limit of what is compute-bound. */
export const BARE_LOOP: Contestant = {
  name: 'session.run loop',
  about: 'a bare loop around session.run, no messages',
  file: builtFile('bare-loop'),
  answers: false,
};

export const CONTESTANTS: readonly Contestant[] = [
  {
    name: 'sequential',
    about: 'the original way: one message at a time from receipt to ack',
    file: builtFile('sequential'),
    env: GIVEN,
    isSequential: true,
  },
  {
    name: 'stock-nest',
    about: "Nest's own Transport.RMQ, the same handler, one row a run",
    file: builtFile('stock-nest'),
    env: GIVEN,
    share: 0.5,
  },
  HAND_WRITTEN,
  {
    name: 'ack-only',
    about: 'amqplib that only acks: the limit of broker and client',
    file: builtFile('ack-only'),
    env: GIVEN,
    answers: false,
  },
  ONNXMQ,
];

/** One in another language. */
export function peerContestant(
  name: string,
  about: string,
  command: readonly string[],
  more: Pick<Contestant, 'env' | 'isSequential' | 'share'> = {},
): Contestant {
  return { name, about, command, ...more, env: { ...GIVEN, ...more.env } };
}

/** The same contestant on another Node, under a name that says so. */
export function onNode(contestant: Contestant, node: NodeBinary): Contestant {
  const major = node.version.replace(/^v(\d+).*/, '$1');
  return { ...contestant, name: `${contestant.name} (Node ${major})`, node };
}

/** @param nodeFlags for those that Node runs */
export function commandOf(contestant: Contestant, lab: Lab, nodeFlags: readonly string[]): string[] {
  const { file, folder = PROJECT_FOLDER, command, node = lab.node } = contestant;
  return file ? [node.path, ...nodeFlags, join(folder, file)] : [...(command ?? [])];
}

/** The environment of a contestant at work on a task. */
export function environmentOf(contestant: Contestant, task: Task): Record<string, string> {
  return {
    RABBITMQ_URL: task.url,
    REQUEST_QUEUE: task.requestQueue,
    MODELS_DIR: task.modelsDir,
    DEFAULT_MODEL: task.model,
    PREPROCESS_IO_DELAY_MS: String(task.ioDelayMs),
    ORT_DISABLE_TELEMETRY: '1',
    NODE_OPTIONS: '', // not npm's, which .npmrc sets
    GOMAXPROCS: '1',
    ORT_DYLIB_PATH: `${PROJECT_FOLDER}node_modules/onnxruntime-node/bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`,
    ...contestant.env,
    ...task.settings,
  };
}

function builtFile(name: string): string {
  return `dist/bench/test/bench/contestants/${name}.js`;
}
