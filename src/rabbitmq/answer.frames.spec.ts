import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ConfirmChannel } from 'amqplib';
import * as fc from 'fast-check';
import { decode, DecodedFrame } from '../../test/support/amqplib-internals.js';
import { MemoryBroker, quiet } from '../../test/support/memory-broker.js';
import { Answer, maxBytesOf, writeAnswer } from './answer.frames.js';

/** Text of any kind, lone surrogates too, that takes up to so many bytes as UTF-8. */
const text = (maxBytes: number) =>
  fc
    .oneof(
      fc.string({ unit: 'grapheme', maxLength: maxBytes }),
      fc.string({ unit: 'binary', maxLength: maxBytes }),
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: maxBytes })
        .map((units) => String.fromCharCode(...units)),
      fc.nat(maxBytes).map((length) => 'x'.repeat(length)),
      fc.nat(maxBytes).map((bytes) => '€'.repeat(bytes / 3)),
    )
    .filter((value) => Buffer.byteLength(value) <= maxBytes);

const json = fc.oneof(fc.json(), fc.constantFrom('', '{}', '"é€😀"'), text(5000));

const traceparent = fc.constant('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');

const parts = {
  queue: text(255),
  body: json,
  type: fc.constantFrom('inference.result' as const, 'inference.error' as const),
  messageId: text(255),
  correlationId: fc.option(text(255), { nil: undefined }),
  traceparent: fc.option(fc.oneof(traceparent, text(300)), { nil: undefined }),
  mandatory: fc.boolean(),
};
const anyAnswer: fc.Arbitrary<Answer> = fc.record(parts);

const anyChannel = fc.integer({ min: 1, max: 0xffff });

/** Some bytes before and after, so that what is written out of place shows. */
const MARGIN = 16;
const UNTOUCHED = 0xaa;

function written(answer: Answer, channel = 1, offset = MARGIN): Buffer {
  const room = maxBytesOf(answer);
  const target = Buffer.alloc(offset + room + MARGIN, UNTOUCHED);
  const end = writeAnswer(target, offset, channel, answer);
  expect(end - offset).toBeLessThanOrEqual(room);
  expect(
    [...target.subarray(0, offset), ...target.subarray(offset + room)].every((byte) => byte === UNTOUCHED),
  ).toBe(true);
  return target.subarray(offset, end);
}

describe('writeAnswer', () => {
  let broker: MemoryBroker;
  let channel: ConfirmChannel;

  beforeAll(async () => {
    broker = await MemoryBroker.open();
    channel = await broker.channel();
  });
  beforeEach(() => {
    broker.writes = [];
  });

  /** What amqplib puts on the wire for the same answer. */
  async function writtenByAmqplib(answer: Answer): Promise<Buffer> {
    broker.writes = [];
    const { queue, body, traceparent: trace, ...options } = answer;
    channel.publish('', queue, Buffer.from(body), {
      ...options,
      persistent: true,
      contentType: 'application/json',
      headers: trace === undefined ? undefined : { traceparent: trace },
    });
    await quiet();
    return Buffer.concat(broker.writes);
  }

  it('writes for an answer with headers, byte for byte, what amqplib would', async () => {
    await fc.assert(
      fc.asyncProperty(anyAnswer, traceparent, async (answer, trace) => {
        const traced = { ...answer, traceparent: trace };
        expect(written(traced).equals(await writtenByAmqplib(traced))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('writes for any answer what means the same as what amqplib would', async () => {
    await fc.assert(
      fc.asyncProperty(anyAnswer, async (answer) => {
        const ours = decode(written(answer));
        const theirs = decode(await writtenByAmqplib(answer));
        expect(ours.rest).toHaveLength(0);
        expect(ours.decoded.map(withHeaders)).toEqual(theirs.decoded.map(withHeaders));
      }),
      { numRuns: 300 },
    );
  });

  it('leaves headers out where there are none, which is all that it writes otherwise', async () => {
    const answer: Answer = {
      queue: 'q',
      body: '{}',
      type: 'inference.result',
      messageId: 'm',
      mandatory: true,
    };
    const [, ours] = decode(written(answer)).decoded;
    const [, theirs] = decode(await writtenByAmqplib(answer)).decoded;
    expect(ours?.fields?.['headers']).toBeUndefined();
    expect(theirs?.fields?.['headers']).toEqual({});
  });

  it('names the channel in each of its frames', () => {
    fc.assert(
      fc.property(anyAnswer, anyChannel, (answer, number) => {
        const { decoded } = decode(written(answer, number));
        expect(new Set(decoded.map((frame) => frame.channel))).toEqual(new Set([number]));
      }),
    );
  });

  it('never takes more bytes than maxBytesOf says, nor touches what is beyond', () => {
    const large = fc.record({ ...parts, body: text(60_000) });
    fc.assert(fc.property(large, fc.nat(100), (answer, offset) => void written(answer, 1, offset)));
  });

  it('writes several answers one behind the other', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyAnswer, anyChannel), { maxLength: 8 }), (answers) => {
        const room = answers.reduce((sum, [answer]) => sum + maxBytesOf(answer), 0);
        const target = Buffer.alloc(room, UNTOUCHED);
        const end = answers.reduce((at, [answer, number]) => writeAnswer(target, at, number, answer), 0);
        const together = decode(target.subarray(0, end));
        expect(together.rest).toHaveLength(0);
        expect(together.decoded).toEqual(
          answers.flatMap(([answer, number]) => decode(written(answer, number)).decoded),
        );
      }),
    );
  });
});

/** amqplib writes a table of headers also where there are none. */
function withHeaders(frame: DecodedFrame): DecodedFrame {
  if (frame.size === undefined) return frame;
  return { ...frame, fields: { ...frame.fields, headers: frame.fields?.['headers'] ?? {} } };
}
