import * as fc from 'fast-check';
import type { Options } from 'amqplib';
import { type ErrorCode } from '../../../src/inference/inference.errors.js';
import { OddRequest } from './odd-requests.js';

const RANDOM_ONES = 100;
const KIB = 1024;
/** amqplib writes no whole numbers below INT64. RabbitMQ reads no infinite ones: it closes the sender's connection. */
const MIN_NUMBER = -(2 ** 63);
/** From here on, amqplib takes each number for a whole one, and cannot write it where it is none. */
const MAX_FRACTION = 2 ** 50;
const DEATHS = 300;
const AN_HOUR_AGO_S = Math.floor(Date.now() / 1000) - 3600;

/** Requests whose properties are odd; their bodies are good, or where the dead letter is to be seen, no JSON. */
export function oddHeaders(image: readonly number[], seed: number): OddRequest[] {
  const body = { data: image };
  const good = (oddity: string, options: Options.Publish): OddRequest => ({ oddity, body, options });
  const bad = (oddity: string, options: Options.Publish, code: ErrorCode): OddRequest => ({
    oddity,
    body: code === 'INVALID_JSON' ? 'no JSON' : body,
    options,
    code,
  });
  return [
    ...[60, 100, 127].flatMap((size): OddRequest[] => [
      { oddity: `${size} KiB of headers`, body, headerBytes: size * KIB },
      { oddity: `a bad body under ${size} KiB of headers`, body: '', headerBytes: size * KIB, code: 'INVALID_JSON' },
    ]),
    good('a long history of deaths', { headers: { 'x-death': deaths() } }),
    bad('a long history of deaths and a bad body', { headers: { 'x-death': deaths() } }, 'INVALID_JSON'),
    { oddity: 'no ids', body, isNameless: true },
    good('no message id', { messageId: undefined }),
    good('a message id of 255 bytes', { messageId: 'm'.repeat(255) }),
    good('a number as traceparent', { headers: { traceparent: 7 } }),
    good('a bad traceparent', { headers: { traceparent: '00-zz-zz-01\r\nx: y' } }),
    good('attempts that are no number', { headers: { 'x-attempts': 'many' } }),
    good('a deadline that is no number', { headers: { 'x-deadline': 'soon' } }),
    good('a table, a list and a date as headers', { headers: { table: { a: { b: 1 } }, list: [1, 'x', [true]], nothing: null } }),
    bad('such headers and a bad body', { headers: { table: { a: { b: 1 } }, list: [1, 'x', [true]], nothing: null } }, 'INVALID_JSON'),
    bad('a number as model', { headers: { 'x-model': 7 } }, 'INVALID_REQUEST'),
    bad('a table as model', { headers: { 'x-model': { digits: 1 } } }, 'INVALID_REQUEST'),
    bad('a list as model', { headers: { 'x-model': ['digits'] } }, 'INVALID_REQUEST'),
    bad('another model', { headers: { 'x-model': 'letters/7' } }, 'UNKNOWN_MODEL'),
    bad('a deadline long ago', { headers: { 'x-deadline': 1 } }, 'DEADLINE_EXCEEDED'),
    bad('an expiration that passed an hour ago', { expiration: '60000', timestamp: AN_HOUR_AGO_S }, 'DEADLINE_EXCEEDED'),
    ...fc.sample(randomHeaders(), { seed, numRuns: RANDOM_ONES }).map((headers) => good(`the headers ${JSON.stringify(headers)}`, { headers })),
  ]; // prettier-ignore
}

/** As RabbitMQ writes it, of a message that has gone round and round. */
function deaths(): object[] {
  return Array.from({ length: DEATHS }, (_, index) => ({
    count: index + 1,
    reason: 'expired',
    queue: `faults.retry.${index}`,
    'routing-keys': ['faults'],
    exchange: '',
  }));
}

/** Of any name, but none that the broker or the worker acts on. */
function randomHeaders(): fc.Arbitrary<Record<string, unknown>> {
  const value = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc
      .double({ noNaN: true, noDefaultInfinity: true, min: MIN_NUMBER })
      .filter((number) => Number.isInteger(number) || Math.abs(number) < MAX_FRACTION),
    fc.boolean(),
  );
  const name = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => `odd-${text}`);
  return fc.dictionary(name, value, { maxKeys: 8, noNullPrototype: true });
}
