import { LoggerService } from '@nestjs/common';
import { pino, Logger as Pino } from 'pino';
import pretty from 'pino-pretty';
import { maskCredentials, Settings } from './config/settings.js';

/** Contexts of Nest's own start-up: of interest when debugging Nest. What keeps the worker from starting, main.ts says. */
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

/**
 * Nest's logger on pino: JSON lines, or readable ones on a terminal. A message is a text, or an object with
 * `message` and further fields.
 */
export class PinoLogger implements LoggerService {
  private readonly pino: Pino;

  constructor({ LOG_LEVEL, LOG_FORMAT }: Pick<Settings, 'LOG_LEVEL' | 'LOG_FORMAT'>) {
    const isPretty = (LOG_FORMAT ?? (process.stdout.isTTY ? 'pretty' : 'json')) === 'pretty';
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
            messageFormat: '{context}: {if code}{code} {end}{msg}{if id} (id {id}){end}',
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
      this.pino[level](
        { context, stack: message.stack && maskCredentials(message.stack) },
        maskCredentials(message.message),
      );
    } else if (typeof message === 'object' && message !== null) {
      const { message: text, ...fields } = message as Record<string, unknown>;
      this.pino[level]({ context, ...fields }, maskCredentials(String(text)));
    } else {
      this.pino[level]({ context }, maskCredentials(String(message)));
    }
  }
}
