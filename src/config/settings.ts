import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { EXIT_CONFIG, StartupError } from './startup-error.js';

/** One setting: what is allowed (for error messages and the README), its default, and how it is read. */
interface SettingSpec<T> {
  allowed: string;
  schema: z.ZodType<T, string | undefined>;
  secret?: boolean;
  /** True where none is a choice of its own, which an empty file may make. */
  mayBeEmpty?: boolean;
}

function setting<T>(spec: SettingSpec<T>): SettingSpec<T> {
  return spec;
}

const textOr = (fallback: string) => z.string().trim().default(fallback);
const optionalText = z.string().trim().optional();
const oneOf = <const T extends string>(values: readonly [T, ...T[]], fallback: NoInfer<T>) =>
  z.enum(values).default(fallback);
const integer = (min: number, max: number) =>
  z.string().trim().regex(/^\d+$/).transform(Number).pipe(z.number().int().min(min).max(max));
const integerOr = (fallback: number, min: number, max: number) =>
  z.string().default(String(fallback)).pipe(integer(min, max));
const autoOr = (min: number, max: number) => z.union([z.literal('auto'), integer(min, max)]).default('auto');
/** AMQP has room for 255 bytes, of which the dead-letter queue's name needs some. */
const queueName = z
  .string()
  .regex(/^(?!amq\.)\P{Cc}+$/u)
  .refine((name) => Buffer.byteLength(name) <= 200);

const MAX_RETRY_DELAY_MS = 86_400_000;
const retryDelays = z
  .string()
  .trim()
  .default('1000,5000,30000')
  .transform((list) => (list === 'none' ? [] : list.split(',').map((delay) => delay.trim())))
  .pipe(z.array(integer(1, MAX_RETRY_DELAY_MS)).max(20));

const BROKER_URL = /^amqps?:\/\/\S+$/;
const brokerUrls = z
  .string()
  .default('amqp://guest:guest@localhost:5672')
  .transform((list) => list.split(',').map((url) => url.trim()))
  .pipe(
    z
      .array(
        z
          .string()
          .regex(BROKER_URL)
          .refine((url) => URL.canParse(url)),
      )
      .min(1),
  );

/**
 * Every setting of the worker, in the order of the README's table. Each is read from the environment variable
 * of its name, or from the file that `<NAME>_FILE` names.
 */
export const SETTINGS = {
  RABBITMQ_URL: setting({
    allowed: 'one or more amqp:// or amqps:// URLs, separated by commas',
    schema: brokerUrls,
    secret: true,
  }),
  RABBITMQ_CA_FILE: setting({ allowed: 'the path of a PEM file', schema: optionalText }),
  RABBITMQ_CERT_FILE: setting({ allowed: 'the path of a PEM file', schema: optionalText }),
  RABBITMQ_KEY_FILE: setting({ allowed: 'the path of a PEM file', schema: optionalText }),
  REQUEST_QUEUE: setting({
    allowed: 'a queue name of 1 to 200 bytes that does not start with amq.',
    schema: textOr('inference').pipe(queueName),
  }),
  RESULTS_QUEUE: setting({
    allowed: 'empty, or a queue name of 1 to 200 bytes that does not start with amq.',
    schema: textOr('').pipe(z.union([z.literal(''), queueName])),
    mayBeEmpty: true,
  }),
  QUEUE_TYPE: setting({ allowed: 'quorum or classic', schema: oneOf(['quorum', 'classic'], 'quorum') }),
  TOPOLOGY: setting({
    allowed: 'assert, check or none',
    schema: oneOf(['assert', 'check', 'none'], 'assert'),
  }),
  DELIVERY_LIMIT: setting({ allowed: 'a whole number from 1 to 1000', schema: integerOr(5, 1, 1000) }),
  RETRY_DELAYS_MS: setting({
    allowed: 'none, or up to 20 whole numbers of milliseconds from 1 to 86400000, separated by commas',
    schema: retryDelays,
  }),
  KILL_SWITCH_PERCENT: setting({
    allowed: 'off or a whole number from 1 to 100',
    schema: z.union([z.literal('off'), integerOr(50, 1, 100)]),
  }),
  MODELS_DIR: setting({ allowed: 'a folder with one folder for each model', schema: textOr('models') }),
  DEFAULT_MODEL: setting({ allowed: 'the name of a model in MODELS_DIR', schema: optionalText }),
  CONCURRENCY: setting({ allowed: 'auto or a whole number from 1 to 65535', schema: autoOr(1, 65_535) }),
  PREFETCH: setting({ allowed: 'auto or a whole number from 1 to 65535', schema: autoOr(1, 65_535) }),
  BATCH_MAX_SIZE: setting({ allowed: 'a whole number from 1 to 4096', schema: integerOr(64, 1, 4096) }),
  BATCH_MAX_WAIT_MS: setting({
    allowed: 'a whole number of milliseconds from 0 to 10000',
    schema: integerOr(2, 0, 10_000),
  }),
  PREPROCESS_IO_DELAY_MS: setting({
    allowed: 'a whole number of milliseconds from 0 to 600000',
    schema: integer(0, 600_000).optional(),
  }),
  INFERENCE_THREADS: setting({ allowed: 'auto or a whole number from 0 to 256', schema: autoOr(0, 256) }),
  MAX_MESSAGE_BYTES: setting({
    allowed: 'a whole number of bytes from 1 to 536870912',
    schema: integerOr(16_777_216, 1, 536_870_912),
  }),
  HTTP_HOST: setting({ allowed: 'a host name or address', schema: textOr('0.0.0.0') }),
  HTTP_PORT: setting({
    allowed: 'a port from 0 to 65535 (0: any free one)',
    schema: integerOr(8080, 0, 65_535),
  }),
  DRAIN_TIMEOUT_MS: setting({
    allowed: 'a whole number of milliseconds from 0 to 3600000',
    schema: integerOr(20_000, 0, 3_600_000),
  }),
  CONSUMER_TIMEOUT_MS: setting({
    allowed: 'a whole number of milliseconds from 1000 to 86400000',
    schema: integerOr(1_800_000, 1_000, 86_400_000),
  }),
  LOG_LEVEL: setting({
    allowed: 'error, warn, info or debug',
    schema: oneOf(['error', 'warn', 'info', 'debug'], 'info'),
  }),
  LOG_FORMAT: setting({ allowed: 'json or pretty', schema: z.enum(['json', 'pretty']).optional() }),
};

export type SettingName = keyof typeof SETTINGS;

type SettingValues = { readonly [Name in SettingName]: z.output<(typeof SETTINGS)[Name]['schema']> };

/** The worker's settings: typed, complete, checked. Injected by this class. */
export abstract class Settings extends (Object as unknown as abstract new () => SettingValues) {}

/**
 * Reads all settings.
 *
 * @throws StartupError (exit code 78) that names every problem, one line each: variable, value, what is allowed.
 */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const problems: string[] = [];
  const values = Object.entries<SettingSpec<unknown>>(SETTINGS).map(([name, spec]) => {
    const raw = rawValue(name, spec, env, problems);
    const parsed = spec.schema.safeParse(raw === '' ? undefined : raw);
    if (!parsed.success) {
      const shown = spec.secret ? maskMalformed(raw ?? '') : raw;
      problems.push(`${name}: ${JSON.stringify(shown)} is not allowed; it takes ${spec.allowed}`);
    }
    return [name, parsed.data];
  });
  const settings = Object.fromEntries(values) as Settings;
  if (Boolean(settings.RABBITMQ_CERT_FILE) !== Boolean(settings.RABBITMQ_KEY_FILE))
    problems.push('RABBITMQ_CERT_FILE and RABBITMQ_KEY_FILE: a client certificate needs both');
  const { REQUEST_QUEUE, RESULTS_QUEUE } = settings;
  const isTaken =
    [REQUEST_QUEUE, `${REQUEST_QUEUE}.dead`].includes(RESULTS_QUEUE) ||
    RESULTS_QUEUE?.startsWith(`${REQUEST_QUEUE}.retry.`);
  if (RESULTS_QUEUE && isTaken)
    problems.push(
      `RESULTS_QUEUE: ${JSON.stringify(RESULTS_QUEUE)} is taken: answers would become requests or dead letters`,
    );
  if (problems.length > 0) throw new StartupError(problems.join('\n'), EXIT_CONFIG);
  return settings;
}

/** Reads over a byte order mark. Refuses other bytes, as a password with them would be refused for ever. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

function rawValue(
  name: string,
  { mayBeEmpty }: SettingSpec<unknown>,
  env: NodeJS.ProcessEnv,
  problems: string[],
): string | undefined {
  const file = env[`${name}_FILE`];
  if (!file) return env[name];
  if (env[name]) {
    problems.push(`${name}: set it or ${name}_FILE, not both`);
    return undefined;
  }
  try {
    const value = UTF8.decode(readFileSync(file)).trim();
    if (value === '' && !mayBeEmpty)
      problems.push(
        `${name}_FILE: ${JSON.stringify(file)} is empty; write the value into it, or unset ${name}_FILE for the default`,
      );
    return value;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : code;
    problems.push(`${name}_FILE: cannot read ${JSON.stringify(file)} (${reason})`);
    return undefined;
  }
}

/** Passwords in the AMQP URLs of a text: `amqp://user:secret@host` → `amqp://user:***@host`. */
export function maskCredentials(text: string): string {
  return text.replace(/(amqps?:\/\/[^:/@\s,]*):[^\s,]*@/g, '$1:***@');
}

/** A secret that is malformed: unless it plainly holds no credentials, where in it they are nobody can tell. */
function maskMalformed(value: string): string {
  const isPlain = value.split(',').every((url) => /^(\w+:\/\/[\w.-]+(:\d{1,5})?(\/[\w%.-]*)?)?$/.test(url));
  return isPlain ? value : value.replace(/^(\w+:\/\/)?.*$/s, '$1***');
}
