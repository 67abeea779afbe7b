import { PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { Lab } from './lab.js';

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
  /** The command that runs it. */
  command(lab: Lab): string[];
  /** What it is told, beside what all are told. */
  env?(task: Task): Record<string, string>;
  /** True for one that handles one message at a time, and so is given few. */
  readonly isSequential?: boolean;
  /** False for one that only takes messages. */
  readonly answers?: boolean;
}

/** Most messages in hand that RabbitMQ allows for each consumer of a quorum queue. */
const PREFETCH = 2000;

/** The product as the image ships it. */
const SHIPPED = {
  NODE_OPTIONS: process.env['BENCH_NODE_OPTIONS'] ?? '--max-semi-space-size=16',
  MALLOC_MMAP_THRESHOLD_: '131072',
};

export const CONTESTANTS: readonly Contestant[] = [
  {
    name: 'sequential',
    about: 'the original way: one message at a time from receipt to ack',
    command: node('sequential'),
    isSequential: true,
  },
  {
    name: 'stock-nest',
    about: "Nest's own Transport.RMQ, the same handler, one row a run",
    command: node('stock-nest'),
  },
  {
    name: 'hand-written',
    about: 'one plain file over amqplib and onnxruntime-node, batches, confirms',
    command: node('hand-written'),
  },
  {
    name: 'ack-only',
    about: 'amqplib that only acks: the limit of broker and client',
    command: node('ack-only'),
    answers: false,
  },
  {
    name: 'onnxmq',
    about: 'the product, as shipped, default settings',
    command: (lab) => [
      lab.node.path,
      ...(process.env['BENCH_PROF'] ? process.env['BENCH_PROF'].split(' ') : []),
      'dist/main.js',
    ],
    env: ({ settings }) => ({
      ...SHIPPED,
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: '0',
      LOG_FORMAT: 'json',
      LOG_LEVEL: 'info',
      ...settings,
    }),
  },
  { name: 'rust', about: '', command: () => ['/tmp/peers-scratch/rust-target/release/peer'] },
  { name: 'go', about: '', command: () => ['/tmp/peers-scratch/gopeer'] },
];

/** The environment of a contestant at work on a task. */
export function environment(contestant: Contestant, task: Task): Record<string, string> {
  const forAll = {
    RABBITMQ_URL: task.url,
    REQUEST_QUEUE: task.requestQueue,
    MODELS_DIR: task.modelsDir,
    DEFAULT_MODEL: task.model,
    PREPROCESS_IO_DELAY_MS: String(task.ioDelayMs),
    ORT_DISABLE_TELEMETRY: '1',
    NODE_OPTIONS: '',
    GOMAXPROCS: '1',
    ORT_DYLIB_PATH: `${PROJECT_FOLDER}node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1`,
  };
  // The product finds these by itself.
  const forOthers = { PREFETCH: String(PREFETCH), BATCH_MAX_SIZE: '64', BATCH_MAX_WAIT_MS: '2' };
  return contestant.env ? { ...forAll, ...contestant.env(task) } : { ...forAll, ...forOthers };
}

function node(file: string): Contestant['command'] {
  return (lab) => [
    lab.node.path,
    ...(process.env['BENCH_PROF']?.split(' ') ?? []),
    `${PROJECT_FOLDER}dist/bench/test/bench/contestants/${file}.js`,
  ];
}
