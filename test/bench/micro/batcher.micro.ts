import { MicroBatcher } from '../../../src/inference/micro-batcher.js';
import { measure } from './measure.js';

const MAX_SIZE = 64;

/** What a row pays for company: from `add` to its answer, with a runner that takes no time. */
export async function measureBatcher(): Promise<void> {
  for (const atOnce of [1, 64, 1000]) {
    const batcher = new MicroBatcher<number, number>([async (items) => items], {
      maxSize: MAX_SIZE,
      maxWaitMs: 2,
    });
    const rows = Array.from({ length: atOnce }, (_, index) => index);
    const addAll = () => Promise.all(rows.map((row) => batcher.add(row)));
    await measure(`a row through the batcher, ${atOnce} at once`, addAll, atOnce);
  }
}
