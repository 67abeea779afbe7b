import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { contentFrames } from '../../test/support/amqplib-internals.js';
import { headerBytes } from './header-bytes.js';

/** What amqplib writes for a header, less what it writes for none. */
function writtenBytes(name: string, value: unknown): number | undefined {
  try {
    const frame = (headers: object) => contentFrames(1, { headers }, Buffer.alloc(0))[0]?.length ?? 0;
    return frame({ [name]: value }) - frame({});
  } catch {
    return undefined;
  }
}

const plain = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc.nat().map((value) => ({ '!': 'timestamp', value })),
  fc.record({ '!': fc.constant('decimal'), value: fc.record({ places: fc.nat(300), digits: fc.nat() }) }),
);
const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    plain,
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value')),
  ),
})).value;

describe('the bytes of a header', () => {
  it('are as many as amqplib writes, of any name and value', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), anyValue, (name, value) => {
        fc.pre(name !== '__proto__');
        expect(headerBytes(name, value)).toBe(writtenBytes(name, value));
      }),
    );
  });

  it.each([
    ['a name over 255 bytes', 'é'.repeat(128), 1],
    ['a number that is none', 'a', NaN],
    ['a large number that is not whole', 'a', 2 ** 50 + 0.5],
    ['a number below INT64', 'a', -(2 ** 64)],
    ['a moment that was rounded', 'a', { '!': 'timestamp', value: 2 ** 64 }],
    ['a table with the key !', 'a', { '!': 'odd', own: 1 }],
    ['such a table in a list in a table', 'a', { list: [{ '!': 'odd' }] }],
  ])('are unknown of what amqplib may have read but cannot write: %s', (_, name, value) => {
    expect(headerBytes(name, value)).toBeUndefined();
    expect(writtenBytes(name, value)).toBeUndefined();
  });
});
