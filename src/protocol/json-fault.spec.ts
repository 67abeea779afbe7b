import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { findFault } from './json-fault.js';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('findFault', () => {
  it.each([
    ['{"a" 1}', 5],
    ['{"a":1,}', 7],
    ['{,}', 1],
    ['[1 2]', 3],
    ['[1}', 2],
    [']', 0],
    ['[01]', 2],
    ['[1.]', 2],
    ['[.5]', 1],
    ['[-]', 1],
    ['["a\\x"]', 3],
    ['["a\n"]', 3],
    ['["\\u12g4"]', 2],
    ['[1]]', 3],
    ['nul', 0],
    ['{"a":True}', 5],
  ])('tells where %j stops being JSON', (text, at) => {
    expect(findFault(text)).toEqual({ at });
  });

  it.each([['['], ['{"a":'], ['{"a"'], ['"a'], ['"a\\n'], ['[1,'], [' '], ['']])(
    'tells that %j ends too early',
    (text) => {
      expect(findFault(text)).toEqual({ at: text.length });
    },
  );

  it('finds a fault in what JSON.parse refuses, and in nothing else', () => {
    const part = fc.oneof(
      fc.constantFrom(
        '[',
        ']',
        '{',
        '}',
        ',',
        ':',
        '"',
        '\\',
        ' ',
        '1',
        '-',
        '.',
        'e',
        'true',
        'null',
        '"a"',
        '\\u0041',
        'NaN',
      ),
      fc.json(),
    );
    fc.assert(
      fc.property(
        fc.array(part).map((parts) => parts.join('')),
        (text) => {
          expect(findFault(text) === undefined).toBe(isJson(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('finds none in any JSON, and one in any JSON that is cut', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const object = `{"a":${json}}`;
        expect(findFault(object)).toBeUndefined();
        for (let length = 0; length < object.length; length++)
          expect(findFault(object.slice(0, length))).toBeDefined();
      }),
    );
  });

  it('does not overflow the stack, however deep the nesting and however long the strings', () => {
    for (const text of ['['.repeat(1e6), `"${'\\n'.repeat(1e6)}`, `"${'a'.repeat(1e7)}`])
      expect(findFault(text)).toEqual({ at: text.length });
  });
});
