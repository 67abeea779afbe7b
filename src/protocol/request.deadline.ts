import { invalidRequest } from '../inference/inference.errors.js';
import { isGiven } from './json-object.js';
import { RequestMessage } from './message.js';

/** A timestamp of whole seconds may lie up to this long before the moment that it stands for. */
const TIMESTAMP_RESOLUTION_MS = 1000;

/** On a copy that is tried again: the deadline that the request had when it came first, in ms since 1970. */
export const RETRY_DEADLINE_HEADER = 'x-onnxmq-deadline';

/**
 * Until when a request may be inferred: the earliest of what its message says. `expiration` counts from `timestamp`, else
 * from receipt; `timeout` from receipt; the header `x-deadline` is a moment, in ms since 1970, as is the one that a worker adds to a
 * copy.
 *
 * @param timeout the V2 parameter, in microseconds; 0: none
 * @param receivedAt on the clock of `performance.now()`, as is what it returns
 * @throws InferenceError INVALID_REQUEST for a timeout that is none
 */
export function readDeadline(
  properties: RequestMessage['properties'],
  timeout: unknown,
  receivedAt: number,
): number | undefined {
  const { expiration, timestamp, headers } = properties;
  let remainingMs = Infinity;
  if (Number(expiration ?? NaN) >= 0)
    remainingMs = Number(expiration) - ageMs(timestamp, wallClockAt(receivedAt));
  const moment = Math.min(readMoment(headers?.['x-deadline']), readMoment(headers?.[RETRY_DEADLINE_HEADER]));
  if (moment < Infinity) remainingMs = Math.min(remainingMs, moment - wallClockAt(receivedAt));
  if (isGiven(timeout)) {
    if (typeof timeout !== 'number' || !(timeout >= 0))
      throw invalidRequest('`parameters.timeout` must be a number of microseconds');
    if (timeout > 0) remainingMs = Math.min(remainingMs, timeout / 1000); // 0: none, as in Triton
  }
  return remainingMs === Infinity ? undefined : receivedAt + remainingMs;
}

/** Anything but a moment in ms since 1970 is no deadline. */
function readMoment(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : Infinity;
}

/** A moment on the clock of `performance.now()` as ms since 1970. */
function wallClockAt(moment: number): number {
  return Date.now() - (performance.now() - moment);
}

/** @param receivedAt in ms since 1970: what it waited here since is no part of its age */
function ageMs(timestamp: unknown, receivedAt: number): number {
  if (typeof timestamp !== 'number' || timestamp <= 0) return 0;
  const isMilliseconds = timestamp > 1e11;
  const since = isMilliseconds ? timestamp : timestamp * 1000 + TIMESTAMP_RESOLUTION_MS;
  return Math.max(0, receivedAt - since);
}
