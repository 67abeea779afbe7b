import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { contentFrames } from '../../test/support/amqplib-internals.js';
import { writable } from './left-out.js';

const KIB = 1024;
const reason = { 'x-error-code': 'SHAPE_MISMATCH', 'x-error-message': 'm'.repeat(500) };
const text = (bytes: number) => 'x'.repeat(bytes);
const headersOf = (headers: object, frameMax?: number) =>
  writable({ headers: { ...headers, ...reason } }, reason, frameMax).headers as Record<string, unknown>;
const written = (properties: object) => contentFrames(1, properties, Buffer.alloc(0))[0]?.length ?? 0;

describe('properties that amqplib can write', () => {
  it('are as they were where there is room for all', () => {
    const properties = {
      messageId: 'm',
      headers: { large: text(60 * KIB), table: { a: [1, null] }, ...reason },
    };
    expect(writable(properties, reason)).toBe(properties);
  });

  it.each([65, 70, 127, 200])('are without a header of %i KiB, and with all others', (size) => {
    const others = { tenant: 7, traceparent: '00-1', list: [1, 'x'] };
    expect(headersOf({ large: text(size * KIB), ...others })).toEqual({
      ...others,
      ...reason,
      'x-headers-left-out': `large (${size * KIB + 11} bytes)`,
    });
  });

  it('are without the largest headers, as many as it takes', () => {
    const received = { a: text(20 * KIB), b: text(40 * KIB), c: text(30 * KIB), d: text(10 * KIB) };
    const headers = headersOf(received);
    expect(Object.keys(headers)).toEqual(['a', 'c', 'd', ...Object.keys(reason), 'x-headers-left-out']);
    expect(headers['x-headers-left-out']).toBe(`b (${40 * KIB + 7} bytes)`);
  });

  it('are without the last of 1,000 headers of one size, of which it lists some and counts the others', () => {
    const names = Array.from({ length: 1000 }, (_, index) => `h${String(index).padStart(3, '0')}`);
    const headers = headersOf(Object.fromEntries(names.map((name) => [name, text(100)])));
    const kept = Object.keys(headers).filter((name) => names.includes(name));
    expect(kept.length).toBeGreaterThan(500);
    expect(kept).toEqual(names.slice(0, kept.length));
    const list = String(headers['x-headers-left-out']);
    expect(list).toMatch(/^h999 \(110 bytes\), h998 \(110 bytes\), .* and \d+ more$/);
    expect(list.length).toBeLessThan(1100);
    const [, more] = /and (\d+) more$/.exec(list) ?? [];
    expect(list.split('), ').length + Number(more)).toBe(1000 - kept.length);
    const again = headersOf({ ...headers, large: text(70 * KIB) });
    expect(again['x-headers-left-out']).toBe(list.replace(/\d+ more$/, `${Number(more) + 1} more`));
  });

  it('keep of small headers those on which the meaning of a request depends', () => {
    const names = Array.from({ length: 5000 }, (_, index) => [`h${index}`, 1] as const);
    const meaning = {
      'x-model': 'm'.repeat(100),
      'x-model-version': '3',
      'x-deadline': 1_800_000_000_000,
      'inference-header-content-length': 77,
    };
    expect(headersOf({ ...Object.fromEntries(names), ...meaning })).toMatchObject(meaning);
  });

  it('are without what cannot be written, and only that', () => {
    const odd = { '!': 'odd' };
    expect(headersOf({ odd, ['é'.repeat(200)]: 1, list: [odd], own: 1 })).toEqual({
      own: 1,
      ...reason,
      'x-headers-left-out': `odd (cannot be written), ${'é'.repeat(40)}… (cannot be written), list (cannot be written)`,
    });
  });

  it('are without what has become too long by being read, as bytes that are no UTF-8 do, or has been rounded', () => {
    const [long, fits] = ['\ufffd'.repeat(86), '\ufffd'.repeat(85)];
    const properties = {
      correlationId: long,
      messageId: fits,
      timestamp: 2 ** 64,
      replyTo: 'answers',
      priority: 3,
    };
    expect(writable({ ...properties, headers: { own: 1 } })).toEqual({
      messageId: fits,
      replyTo: 'answers',
      priority: 3,
      headers: {
        own: 1,
        'x-headers-left-out': 'property correlation_id (258 bytes), property timestamp (cannot be written)',
      },
    });
  });

  it('have room for the list of what cannot be written', () => {
    const headers = headersOf({ large: text(64 * KIB - 700), odd: { '!': 'odd' }, own: 1 });
    expect(Object.keys(headers)).toEqual(['own', ...Object.keys(reason), 'x-headers-left-out']);
  });

  it('say also what an earlier copy was without', () => {
    const first = headersOf({ large: text(70 * KIB), own: 1 });
    const second = headersOf({ ...first, other: text(80 * KIB) });
    expect(second).toMatchObject({
      own: 1,
      'x-headers-left-out': `large (${70 * KIB + 11} bytes), other (${80 * KIB + 11} bytes)`,
    });
    expect(headersOf(second)).toEqual(second);
  });

  it('fit into the broker’s frames, and into amqplib’s buffer', () => {
    const headers = fc.dictionary(fc.string({ minLength: 1, maxLength: 80 }), fc.nat(20 * KIB), {
      maxKeys: 30,
    });
    fc.assert(
      fc.property(headers, fc.constantFrom(0, 8192, 32_768, 131_072), (sizes, frameMax) => {
        const received = Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, text(size)]));
        const properties = {
          correlationId: text(255),
          replyTo: text(255),
          headers: { ...received, ...reason },
        };
        expect(written(writable(properties, reason, frameMax))).toBeLessThanOrEqual(frameMax || 128 * KIB);
      }),
    );
  });
});
