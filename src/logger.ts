import { LoggerService } from '@nestjs/common';
import { pino, Logger as Pino } from 'pino';
import pretty from 'pino-pretty';
import { maskCredentials, Settings } from './config/settings.js';

/** Contexts of Nest's own start-up: of interest when debugging Nest. What keeps the worker from starting, start.ts says. */
const NEST_INTERNALS: ReadonlySet<unknown> = new Set([
  'ExceptionHandler',
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
  'NestMicroservice',
]);

type Level = 'error' | 'warn' | 'info' | 'debug';

/** The fields of an entry that its readable form begins and ends with. */
type Entry = Readonly<Partial<Record<'context' | 'code' | 'msg' | 'id', string>>>;

/**
 * Nest's logger on pino: JSON lines, or readable ones on a terminal. A message is a text, or an object with
 * `message` and further fields.
 */
export class PinoLogger implements LoggerService {
  private readonly pino: Pino;
  /** What is done to each text. JSON escapes by itself what would break a line. */
  private readonly shown: (text: string) => string;

  constructor({ LOG_LEVEL, LOG_FORMAT }: Pick<Settings, 'LOG_LEVEL' | 'LOG_FORMAT'>) {
    const isPretty = (LOG_FORMAT ?? (process.stdout.isTTY ? 'pretty' : 'json')) === 'pretty';
    this.shown = isPretty ? (text) => oneLine(maskCredentials(text)) : maskCredentials;
    const options = {
      level: LOG_LEVEL,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level: string) => ({ level }) },
    };
    this.pino = isPretty
      ? pino(
          options,
          pretty({
            sync: true,
            colorize: process.stdout.isTTY,
            translateTime: 'SYS:HH:MM:ss.l',
            ignore: 'context,answered,deadLettered,inHand,p50Ms,p99Ms,batches,rows,checks,port,code,id,model',
            singleLine: true,
            // A template of pino-pretty would take a `{msg}` in an id for its own.
            messageFormat: (entry) => readable(entry as Entry),
          }),
        )
      : pino(options, pino.destination({ sync: true }));
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write('info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  /** Nest gives the context last and, for errors, the stack before it. */
  private write(importance: Level, message: unknown, rest: unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? rest.at(-1) : undefined;
    const level = NEST_INTERNALS.has(context) ? 'debug' : importance;
    if (message instanceof Error) {
      const stack = message.stack && this.shown(message.stack);
      this.pino[level]({ context, stack }, this.shown(message.message));
    } else if (typeof message === 'object' && message !== null) {
      const { message: text, ...fields } = message as Record<string, unknown>;
      this.pino[level]({ context, ...mapTexts(fields, this.shown) }, this.shown(String(text)));
    } else {
      this.pino[level]({ context }, this.shown(String(message)));
    }
  }
}

function readable({ context, code, msg, id }: Entry): string {
  return [context && `${context}:`, code, msg, id && `(id ${id})`].filter(Boolean).join(' ');
}

function mapTexts(fields: Record<string, unknown>, map: (text: string) => string): Record<string, unknown> {
  const entries = Object.entries(fields);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? map(value) : value]),
  );
}

/**
 * A text in which nothing breaks the line, moves the cursor or turns the direction of reading: a producer may have written
 * it. Such characters are escaped as in JSON.
 */
export function oneLine(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => ESCAPES[character] ?? codeUnits(character),
  );
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function codeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}
