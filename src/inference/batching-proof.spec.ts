import { describe, expect, it } from '@jest/globals';
import { oneRow, rowsIn } from '../../test/support/rows.js';
import { runAlone, runTogether } from '../models/batch.js';
import { Batch, Session } from '../models/session.js';
import { Rows } from '../protocol/rows.js';
import { BatchingProof } from './batching-proof.js';

const number = { name: 'x', datatype: 'FP32', shape: ['n', 1] } as const;

/** A model of rows of one number; counts its runs by their rows. */
class Model implements Session {
  readonly signature = { name: 'm', inputs: [number], outputs: [number], hasOpenRows: true, mayBatch: true };
  readonly parallelism = 1;
  readonly ran: number[] = [];

  constructor(private readonly outputs: (numbers: readonly number[]) => readonly number[]) {}

  run({ tensors, dims }: Batch): Promise<Batch> {
    this.ran.push(dims[0]?.[0] ?? 0);
    const outputs = this.outputs([...(tensors[0] as Float32Array)]);
    return Promise.resolve({ tensors: [Float32Array.from(outputs)], dims: [[outputs.length, 1]] });
  }
}

const doubling = () => new Model((numbers) => numbers.map((one) => 2 * one));
/** Its answers depend on company above 100 only. */
const mixing = () =>
  new Model((numbers) => numbers.map((one) => one + Math.max(0, ...numbers.map((other) => other - 100))));
const counting = () => new Model((numbers) => numbers.map((one) => one + numbers.length));

class Told {
  readonly events: string[] = [];
  checks = 0;
  onProved = () => void this.events.push('proved');
  onRefuted = (reason: string) => void this.events.push(`refuted: ${reason}`);
  onChecked = () => void this.checks++;
}

const row = (value: number): Rows => oneRow(Float32Array.of(value));
const rows = (...numbers: number[]): Rows => rowsIn(numbers.length, Float32Array.from(numbers));

/** Runs them together, and has one looked at: the one at that share of all. */
async function agreesOn(model: Model, parts: readonly Rows[], told = new Told(), at = 0) {
  const proof = new BatchingProof(model, { verdict: 'proved' }, told, () => at);
  const agrees = await proof.agrees(parts, await runTogether(model, parts));
  return { agrees, holds: proof.holds };
}

/** A model of which nothing is known answers these, one after the other. */
async function learnFrom(model: Model, requests: readonly Rows[], told = new Told()) {
  const proof = new BatchingProof(model, { verdict: 'open', reason: 'unknown' }, told);
  for (const request of requests) await proof.learn(request, await runAlone(model, request));
  return proof;
}

describe('the proof that requests may share a run', () => {
  it.each(['proved', 'trusted'] as const)('holds where batching is %s', (verdict) => {
    expect(new BatchingProof(doubling(), { verdict }, new Told()).holds).toBe(true);
  });

  it.each(['open', 'refuted'] as const)('does not hold where it is %s', (verdict) => {
    expect(new BatchingProof(doubling(), { verdict, reason: '' }, new Told()).holds).toBe(false);
  });

  describe('while it holds', () => {
    it('goes on where a row alone gets what it got in company', async () => {
      const told = new Told();
      expect(await agreesOn(doubling(), [row(1), row(2)], told)).toEqual({ agrees: true, holds: true });
      expect(told).toMatchObject({ events: [], checks: 1 });
    });

    it('ends where it gets something else, and says by how much', async () => {
      const told = new Told();
      expect(await agreesOn(mixing(), [row(1), row(150)], told)).toEqual({ agrees: false, holds: false });
      expect(told.events).toEqual(["refuted: output 'x' of the same rows differs by 50 beside others"]);
    });

    it('ends as well where not the others but their number changes the answers, of most rows', async () => {
      expect(await agreesOn(counting(), [row(1), row(2)])).toEqual({ agrees: false, holds: false });
    });

    it('has no answers given where a row fails alone, though it did not in company', async () => {
      const failsOnOnes = new Model((numbers) => {
        if (numbers.length === 1 && numbers[0] === 1) throw new Error('out of range');
        return numbers.map((one) => 2 * one);
      });
      expect(await agreesOn(failsOnOnes, [row(1), row(2)])).toEqual({ agrees: false, holds: true });
    });

    it('looks at rows within requests of several', async () => {
      const parts = [rows(150, 150, 150, 150, 150), rows(150, 150, 150, 150, 2)];
      expect(await agreesOn(mixing(), parts, new Told(), 0.9)).toEqual({ agrees: false, holds: false });
    });

    it('is refuted once', () => {
      const told = new Told();
      const proof = new BatchingProof(doubling(), { verdict: 'proved' }, told);
      proof.refute('one');
      proof.refute('other');
      expect(told.events).toEqual(['refuted: one']);
    });

    it('has the first shared runs checked, then as many as cost half a percent of the time', async () => {
      const model = doubling();
      const proof = new BatchingProof(model, { verdict: 'proved' }, new Told());
      const parts = [row(1), row(2)];
      const outputs = await runTogether(model, parts);
      for (let run = 0; run < 4; run++) {
        expect(proof.ran(2, 0)).toBe(true);
        await proof.agrees(parts, outputs);
      }
      expect(proof.ran(2, 0)).toBe(false);
      expect(proof.ran(2, 1e9)).toBe(true);
    });

    it('has nothing checked that ran by itself, or is trusted', () => {
      expect(new BatchingProof(doubling(), { verdict: 'proved' }, new Told()).ran(1, 1)).toBe(false);
      expect(new BatchingProof(doubling(), { verdict: 'trusted' }, new Told()).ran(2, 1)).toBe(false);
    });
  });

  describe('where warm-up could not tell', () => {
    it('is given by the first eight requests, run in twos, fours and eights', async () => {
      const told = new Told();
      const model = doubling();
      const proof = await learnFrom(model, [1, 2, 3, 4, 5, 6, 7].map(row), told);
      expect(proof.holds).toBe(false);
      await proof.learn(row(8), await runAlone(model, row(8)));
      expect(proof.holds).toBe(true);
      expect(told.events).toEqual(['proved']);
      expect(model.ran.filter((count) => count > 1)).toEqual([2, 4, 8]);
    });

    it('is refuted by the first that get something else together', async () => {
      const told = new Told();
      expect((await learnFrom(mixing(), [1, 150].map(row), told)).holds).toBe(false);
      expect(told.events).toEqual([expect.stringContaining('differs by 50')]);
    });

    it('is refuted by a request whose outputs are not its rows', async () => {
      const told = new Told();
      await learnFrom(new Model((numbers) => numbers.filter((one) => one > 0)), [rows(1, -1)], told);
      expect(told.events).toEqual(["refuted: output 'x' has 1 rows for a batch of 2"]);
    });

    it('is refuted where requests cannot run together, twice: once may be for want of memory', async () => {
      const told = new Told();
      const single = new Model((numbers) => {
        if (numbers.length > 1) throw new Error('reshape');
        return numbers;
      });
      const proof = await learnFrom(single, [row(1), row(2), row(3)], told);
      expect(told.events).toEqual([]);
      await proof.learn(row(4), await runAlone(single, row(4)));
      expect(told.events).toEqual(['refuted: it cannot run requests together: reshape']);
    });

    it('is not given by answers that are all alike: a swap would not show', async () => {
      const constant = () => new Model((numbers) => numbers.map(() => 7));
      expect((await learnFrom(constant(), [1, 2, 3, 4, 5, 6, 7, 8].map(row))).holds).toBe(false);
    });

    it('is given by requests of the same dimensions only', async () => {
      const wide = oneRow(Float32Array.of(1, 2));
      const model = doubling();
      expect((await learnFrom(model, [1, 2, 3, 4, 5, 6, 7].map(row).concat(wide))).holds).toBe(false);
    });
  });
});
