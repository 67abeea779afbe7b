import { describe, expect, it } from '@jest/globals';
import { InferenceSession } from 'onnxruntime-node';
import { randomGraph, randomRequests } from './random-graphs.js';
import { areAlike, inCompany, rowsOf, runAlone, V2Tensor } from './v2-tensors.js';

const GRAPHS = 200;
const TOLERANCE = 1e-4;

const seeds = Array.from({ length: GRAPHS }, (_, seed) => seed);

const load = (bytes: Buffer) =>
  InferenceSession.create(bytes, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4 });

/** Requests whose rows could share a run with those of the first. */
function companionsOf(requests: readonly V2Tensor[][]): readonly V2Tensor[][] {
  const shapeOf = (inputs: readonly V2Tensor[] = []) =>
    JSON.stringify(inputs.map(({ shape }) => shape.slice(1)));
  return requests.filter((inputs) => shapeOf(inputs) === shapeOf(requests[0]));
}

async function areSameInCompany(
  session: InferenceSession,
  requests: readonly V2Tensor[][],
): Promise<boolean> {
  const together = await runAlone(session, inCompany(requests)).catch(() => undefined);
  if (!together) return false;
  let from = 0;
  for (const inputs of requests) {
    const to = from + (inputs[0]?.shape[0] ?? 0);
    const share = together.map((output) => rowsOf(output, from, to));
    if (!areAlike(share, await runAlone(session, inputs), TOLERANCE)) return false;
    from = to;
  }
  return true;
}

describe('random graphs', () => {
  it('are the same for the same seed, and others for another', () => {
    const [one, again, other] = [randomGraph(1), randomGraph(1), randomGraph(2)];
    expect(again).toEqual(one);
    expect(other.bytes.equals(one.bytes)).toBe(false);
    expect(randomRequests(1, one, 5)).toEqual(randomRequests(1, one, 5));
  });

  it('load, take their requests, and give the same in company where they are row-wise', async () => {
    const wrong: string[] = [];
    let mixing = 0;
    for (const seed of seeds) {
      const graph = randomGraph(seed);
      const session = await load(graph.bytes);
      const requests = randomRequests(seed, graph, 6);
      for (const inputs of requests) await runAlone(session, inputs);
      const isSame = await areSameInCompany(session, companionsOf(requests));
      if (graph.isRowWise && !isSame) wrong.push(`${seed}: ${graph.describe}`);
      if (!isSame) mixing++;
      await session.release();
    }
    expect(wrong).toEqual([]);
    expect(mixing).toBeGreaterThan(GRAPHS / 4);
    expect(mixing).toBeLessThan((GRAPHS * 3) / 4);
  });
});
