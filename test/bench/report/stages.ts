import { Results } from '../results.js';
import { IDLE, HIGH_LOAD, RATE } from '../suites/live.suite.js';

/** Where a message's time goes, in ms. The parts add up to the round trip at p50. */
export interface Stages {
  readonly name: string;
  readonly ms: readonly number[];
}

/** The parts, in order. */
export const STAGE_NAMES = ['broker, network, client', 'I/O wait', 'worker: decode to confirmed answer'];

/**
 * What can be told from outside: the client's round trip, of which the worker's own log tells its share (from receipt
 * to confirmed answer), of which the I/O wait is known. When the worker counts its stages, this is where they come in.
 */
export function stagesOf(results: Results): Stages[] {
  const cases = [
    { name: 'one at a time, I/O 0 ms', suite: IDLE, x: 0, ioMs: 0 },
    { name: 'one at a time, I/O 50 ms', suite: IDLE, x: 50, ioMs: 50 },
    { name: `at ${HIGH_LOAD} % of saturation, I/O 50 ms`, suite: RATE, x: HIGH_LOAD, ioMs: 50 },
  ];
  return cases.flatMap(({ name, suite, x, ioMs }) => {
    const roundTripMs = results.median(suite, 'onnxmq', x, 'p50Ms');
    const workerMs = results.median(suite, 'onnxmq', x, 'workerP50Ms');
    if (roundTripMs === undefined || workerMs === undefined) return [];
    return [{ name, ms: [roundTripMs - workerMs, ioMs, workerMs - ioMs].map((ms) => Math.max(0, ms)) }];
  });
}
