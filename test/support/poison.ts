import { PROJECT_FOLDER } from '../../src/cli/test-set.js';

/** Far from any pixel, and exact in a float. */
const MARKER = 4096;
const DIGITS_SCALE = 0.0625;

/** A worker with these settings aborts when a {@link poisoned} image comes to the model's run. */
export const POISONABLE: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `--import=${new URL('test/support/hooks/poison.js', `file://${PROJECT_FOLDER}`).href}`,
  POISON_MARKER: String(MARKER),
  INFERENCE_THREADS: '0', // only a process can abort, not a thread
};

/** The image as one that kills the worker. */
export function poisoned(image: readonly number[] = []): number[] {
  return [MARKER / DIGITS_SCALE, ...image.slice(1)];
}
