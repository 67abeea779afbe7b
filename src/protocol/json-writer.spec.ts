import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { JsonWriter } from './json-writer.js';

const writer = new JsonWriter();

function float32(value: number): string {
  return writer.start().float32s(Float32Array.of(value), 0, 1).end();
}

describe('JsonWriter', () => {
  it('writes 32-bit floats so that the very same floats are read', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Math.fround(Number(float32(value)))).toBe(value === 0 ? 0 : value);
      }),
      { numRuns: 20_000 },
    );
  });

  it('does so around every power of ten and of two', () => {
    const edges = [
      ...Array.from({ length: 84 }, (_, index) => 10 ** (index - 45)),
      ...Array.from({ length: 277 }, (_, index) => 2 ** (index - 149)),
    ].flatMap((edge) =>
      [0.9999999, 0.99999994, 1, 1.0000001, 1.5].map((factor) => Math.fround(edge * factor)),
    );
    for (const value of edges.filter(Number.isFinite))
      for (const signed of [value, -value])
        expect(Math.fround(JSON.parse(float32(signed)) as number)).toBe(signed === 0 ? 0 : signed);
  });

  it.each([
    [0, '0'],
    [-0, '0'],
    [1, '1'],
    [-2.5, '-2.5'],
    [0.5, '0.5'],
    [0.1, '0.100000001'],
    [100, '100'],
    [1e-7, '1.00000001e-7'],
    [0.0000152587890625, '0.0000152587891'],
    [999_999_936, '999999936'],
    [3.4028234663852886e38, '3.4028234663852886e+38'],
    [NaN, 'null'],
    [-Infinity, 'null'],
  ])('writes %d as %s', (value, json) => {
    expect(float32(Math.fround(value))).toBe(json);
  });

  it('puts commas between numbers', () => {
    const floats = Float32Array.of(7, 1, -0.25, NaN, 8);
    expect(writer.start().float32s(floats, 1, 4).end()).toBe('1,-0.25,null');
  });

  it('writes any text as JSON, in UTF-8', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 100 })), (texts) => {
        writer.start().raw('[');
        texts.forEach((text, index) => writer.raw(index > 0 ? ',' : '').string(text));
        expect(JSON.parse(writer.raw(']').end())).toEqual(texts);
      }),
    );
  });

  it('grows with what is written', () => {
    const long = 'é'.repeat(100_000);
    writer.start().raw('[').string(long).raw(',').float32s(Float32Array.of(1.5), 0, 1);
    expect(JSON.parse(writer.raw(']').end())).toEqual([long, 1.5]);
  });

  it('starts anew after somebody failed in the middle', () => {
    writer.start().raw('{"half":');
    expect(writer.start().raw('{}').end()).toBe('{}');
  });
});
