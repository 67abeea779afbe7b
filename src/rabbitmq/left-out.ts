import type { Options } from 'amqplib';
import { JSON_LENGTH_HEADER } from '../protocol/binary-tensors.js';
import { headerBytes } from './header-bytes.js';

/** On a copy: what of the message as received it is without, and why. */
export const LEFT_OUT_HEADER = 'x-headers-left-out';

/** The buffer in which amqplib writes headers. */
const AMQPLIB_BYTES = 64 * 1024;
/** In the frame of the headers, for properties and for what the broker adds. */
const OTHER_BYTES = 4 * 1024;
/** A property is a short string in AMQP. */
const MAX_PROPERTY_BYTES = 255;

/** On these depends what the request means: without one of them it would be another request. */
const MEANINGFUL = new Set(['x-model', 'x-model-version', 'x-deadline', JSON_LENGTH_HEADER, LEFT_OUT_HEADER]);
const MAX_MEANINGFUL_BYTES = 1200;

/** Of the list of what is left out. */
const MAX_LIST_BYTES = 1000;
const MAX_LISTED_NAME = 40;
/** What a list ends with that has no room for more. */
const LIST_END = / and (\d+) more$/;
const MAX_LIST_END_BYTES = 30;
/** The list as a header, with its name. */
const LIST_HEADER_BYTES = MAX_LIST_BYTES + 100;

interface Header {
  readonly name: string;
  readonly value: unknown;
  /** undefined: it cannot be written. */
  readonly bytes: number | undefined;
}

/**
 * Properties as amqplib can write them and the broker takes them: without what is of a type or a length that cannot be
 * written, and without the largest headers where there is no room for all. `x-headers-left-out` lists what that is.
 *
 * @param essential headers that stay in any case
 * @param frameMax the largest frame that the broker takes, in bytes; 0: any
 */
export function writable(properties: Options.Publish, essential: object = {}, frameMax = 0): Options.Publish {
  const { headers: received = {}, ...others } = properties;
  const { kept, left } = writableProperties(others);
  const headers = Object.entries(received as Record<string, unknown>)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({ name, value, bytes: headerBytes(name, value) }));
  const { fitting, leftOut } = fit(headers, essential, roomFor(frameMax), left.length > 0);
  const all = [...left, ...leftOut];
  if (all.length === 0) return properties;
  const list = listOf(all, (received as Record<string, unknown>)[LEFT_OUT_HEADER]);
  const entries = fitting.map(({ name, value }) => [name, value] as const);
  return { ...kept, headers: { ...Object.fromEntries(entries), [LEFT_OUT_HEADER]: list } };
}

function roomFor(frameMax: number): number {
  if (frameMax === 0) return AMQPLIB_BYTES;
  return Math.min(AMQPLIB_BYTES, frameMax - Math.min(OTHER_BYTES, frameMax / 2));
}

/** What came in as bytes that are no UTF-8 has become longer by being read; a moment has been rounded. */
function writableProperties(properties: Options.Publish): { kept: Options.Publish; left: string[] } {
  const left: string[] = [];
  const kept = Object.entries(properties).filter(([name, value]: [string, unknown]) => {
    const bytes = typeof value === 'string' ? Buffer.byteLength(value) : 0;
    if (bytes <= MAX_PROPERTY_BYTES && !(name === 'timestamp' && Number(value) >= 2 ** 64)) return true;
    const wireName = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    left.push(`property ${wireName} (${bytes > 0 ? `${bytes} bytes` : 'cannot be written'})`);
    return false;
  });
  return { kept: Object.fromEntries(kept), left };
}

/**
 * Of headers of the same size the last ones go first.
 *
 * @param hasList there is something else to list, so that the list needs room in any case
 */
function fit(headers: readonly Header[], essential: object, room: number, hasList: boolean) {
  const out = new Set<Header>(headers.filter(({ bytes }) => bytes === undefined));
  let total = 4 + headers.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  const earlierList = headers.find(({ name }) => name === LEFT_OUT_HEADER)?.bytes ?? 0;
  if (total > room || hasList || out.size > 0) {
    const candidates = headers.filter((header) => header.bytes !== undefined && !stays(header, essential));
    for (const header of candidates.toReversed().toSorted(byBytes)) {
      if (total - earlierList + LIST_HEADER_BYTES <= room) break;
      out.add(header);
      total -= header.bytes ?? 0;
    }
  }
  const leftOut = [...out].map(({ name, bytes }) => {
    const shown = name.length > MAX_LISTED_NAME ? `${name.slice(0, MAX_LISTED_NAME)}…` : name;
    return `${shown} (${bytes === undefined ? 'cannot be written' : `${bytes} bytes`})`;
  });
  return { fitting: headers.filter((header) => !out.has(header)), leftOut };
}

function byBytes(one: Header, other: Header): number {
  return (other.bytes ?? 0) - (one.bytes ?? 0);
}

function stays({ name, bytes = 0 }: Header, essential: object): boolean {
  return Object.hasOwn(essential, name) || (MEANINGFUL.has(name) && bytes <= MAX_MEANINGFUL_BYTES);
}

/** @param earlier the list of the message as received, which may be a copy itself */
function listOf(entries: readonly string[], earlier: unknown): string {
  const isList =
    typeof earlier === 'string' && Buffer.byteLength(earlier) <= MAX_LIST_BYTES + MAX_LIST_END_BYTES;
  let list = isList ? earlier.replace(LIST_END, '') : '';
  let more = isList ? Number(LIST_END.exec(earlier)?.[1] ?? 0) : 0;
  for (const entry of entries) {
    const longer = list === '' ? entry : `${list}, ${entry}`;
    if (more > 0 || Buffer.byteLength(longer) > MAX_LIST_BYTES) more++;
    else list = longer;
  }
  return more === 0 ? list : `${list} and ${more} more`;
}
