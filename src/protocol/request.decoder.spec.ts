import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { binaryBody, binaryInput } from '../../test/support/binary-body.js';
import { refusalOf } from '../../test/support/refusal.js';
import { InferenceError } from '../inference/inference.errors.js';
import { RequestMessage } from './message.js';
import { decodeRequest, foreseeDeadline, identify } from './request.decoder.js';

type Properties = RequestMessage['properties'];

function messageOf(body: unknown, properties: Properties = {}): RequestMessage {
  const isRaw = Buffer.isBuffer(body) || typeof body === 'string';
  return { content: Buffer.from(isRaw ? body : JSON.stringify(body)), properties };
}

function decode(body: unknown, properties: Properties = {}) {
  const message = messageOf(body, properties);
  return decodeRequest(message.content, message);
}

function refusal(body: unknown, properties: Properties = {}): InferenceError {
  return refusalOf(() => decode(body, properties));
}

/** Any bytes, as characters of the same number. */
function latin1(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}

const tensor = { name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] };

describe('decodeRequest', () => {
  describe('wire forms', () => {
    it('reads the shorthand', () => {
      expect(decode({ data: [1, [2]] })).toMatchObject({ input: { form: 'row', data: [1, [2]] } });
    });

    it('reads V2 JSON, with the outputs that are asked for', () => {
      const request = decode({
        inputs: [{ ...tensor, parameters: { x: 1 } }],
        outputs: [{ name: 'probs', parameters: {} }],
      });
      expect(request).toMatchObject({ input: { form: 'tensors', tensors: [tensor] }, outputs: ['probs'] });
      expect(request.packet).toBeUndefined();
    });

    it('takes no outputs and an empty list of outputs for all of them', () => {
      expect(decode({ inputs: [tensor] }).outputs).toBeUndefined();
      expect(decode({ inputs: [tensor], outputs: [] }).outputs).toBeUndefined();
    });

    it('takes a body with both `data` and `inputs` for V2 JSON', () => {
      expect(decode({ data: [1], inputs: [tensor] }).input.form).toBe('tensors');
    });

    it.each([['infer'], [{ cmd: 'infer' }]])('reads what is in a Nest packet with pattern %j', (pattern) => {
      const shorthand = decode({ pattern, id: 'n-1', data: { id: 'r-1', model: 'digits', data: [1] } });
      expect(shorthand).toMatchObject({
        id: 'r-1',
        model: 'digits',
        input: { form: 'row', data: [1] },
        packet: { id: 'n-1' },
      });
      expect(decode({ pattern, data: { inputs: [tensor] } })).toMatchObject({
        input: { form: 'tensors' },
        packet: { id: undefined },
      });
    });

    it('reads a Nest packet whose data is the row itself', () => {
      expect(decode({ pattern: 'infer', id: '1', data: [1, 2] }).input).toEqual({
        form: 'row',
        data: [1, 2],
      });
    });

    it('reads over a byte order mark', () => {
      expect(decode('\ufeff{"id":"a","data":[1]}')).toMatchObject({ id: 'a', input: { data: [1] } });
      expect(decode('\ufeff{"id":"ä","data":[1]}').id).toBe('ä');
      expect(decode('\ufeff{"pattern":"infer","id":"n","data":{"data":[1]}}').packet).toEqual({ id: 'n' });
    });

    it('reads over a byte order mark before binary tensors, which counts as JSON', () => {
      const bytes = Buffer.from(Float32Array.of(1).buffer);
      const json = Buffer.from(
        `\ufeff${JSON.stringify({ inputs: [binaryInput('x', 'FP32', [1, 1], bytes)] })}`,
      );
      const headers = { 'inference-header-content-length': json.length };
      const { input } = decode(Buffer.concat([json, bytes]), { headers });
      expect(input).toMatchObject({ tensors: [{ data: bytes }] });
    });

    it('does not take a body for a Nest packet because of a pattern that is neither text nor object', () => {
      expect(decode({ pattern: 5, data: [1] }).packet).toBeUndefined();
    });

    it.each([['predict'], [{ cmd: 'predict' }], [{}], ['']])('refuses pattern %j', (pattern) => {
      expect(refusal({ pattern, data: { data: [1] } }).code).toBe('INVALID_REQUEST');
    });
  });

  describe('id', () => {
    const properties = { messageId: 'm', correlationId: 'c' };

    it('is the body’s, else the message_id, else the correlation_id', () => {
      expect(decode({ id: 'b', data: [] }, properties).id).toBe('b');
      expect(decode({ data: [] }, properties).id).toBe('m');
      expect(decode({ data: [] }, { correlationId: 'c' }).id).toBe('c');
      expect(decode({ data: [] }).id).toBeUndefined();
    });

    it('is not the packet’s, which names a packet', () => {
      expect(decode({ pattern: 'infer', id: 'n', data: { data: [] } }, properties).id).toBe('m');
    });

    it.each([[5], [false], [{}]])('is refused when it is %j', (id) => {
      expect(refusal({ id, data: [] }).code).toBe('INVALID_REQUEST');
    });
  });

  describe('model', () => {
    const all = { model: 'body', model_name: 'v2', data: [] };
    const properties = { type: 'type', headers: { 'x-model': 'header' } };

    it('is the header’s, else the body’s, else the type’s, else the default', () => {
      expect(decode(all, properties).model).toBe('header');
      expect(decode(all, { type: 'type' }).model).toBe('body');
      expect(decode({ model_name: 'v2', data: [] }, { type: 'type' }).model).toBe('v2');
      expect(decode({ data: [] }, { type: 'type' }).model).toBe('type');
      expect(decode({ data: [] }).model).toBeUndefined();
      expect(decode({ model: '', data: [] }).model).toBeUndefined();
    });

    it('is not the one that a worker has noted on a dead letter, unless somebody has changed it since', () => {
      const noted = { 'x-model': 'default', 'x-model-resolved': 'default' };
      expect(decode({ data: [] }, { headers: noted }).model).toBeUndefined();
      expect(decode({ model: 'body', data: [] }, { headers: noted }).model).toBe('body');
      expect(decode({ data: [] }, { headers: { ...noted, 'x-model': 'other' } }).model).toBe('other');
    });

    it('is refused when it is no text', () => {
      for (const model of [5, 0, false]) expect(refusal({ model, data: [] }).code).toBe('INVALID_REQUEST');
      expect(refusal({ data: [] }, { headers: { 'x-model': 5 } }).code).toBe('INVALID_REQUEST');
    });
  });

  describe('deadline', () => {
    const NOW = 1_700_000_000_000;
    beforeEach(() => {
      jest.useFakeTimers({ now: NOW });
    });
    afterEach(() => {
      jest.useRealTimers();
    });
    const remaining = (properties: Properties, parameters?: object) =>
      (decode({ data: [], parameters }, properties).deadline ?? Infinity) - performance.now();

    it('is none unless one is asked for', () => {
      expect(decode({ data: [] }).deadline).toBeUndefined();
      expect(decode({ data: [] }, { timestamp: NOW / 1000 }).deadline).toBeUndefined();
    });

    it('counts the expiration from receipt without a timestamp', () => {
      expect(remaining({ expiration: '500' })).toBe(500);
    });

    it('counts the expiration from a timestamp in seconds, the whole of that second allowed', () => {
      expect(remaining({ expiration: '5000', timestamp: NOW / 1000 - 3 })).toBe(5000 - 2000);
    });

    it('counts the expiration from a timestamp in milliseconds', () => {
      expect(remaining({ expiration: '5000', timestamp: NOW - 3000 })).toBe(2000);
    });

    it('has passed when the timestamp is long ago', () => {
      expect(remaining({ expiration: '1000', timestamp: NOW / 1000 - 60 })).toBe(1000 - 59_000);
    });

    it('is never later than the expiration from receipt, whatever a clock that is ahead says', () => {
      expect(remaining({ expiration: '1000', timestamp: NOW + 60_000 })).toBe(1000);
    });

    it('reads the V2 parameter timeout in microseconds, and 0 as none', () => {
      expect(remaining({}, { timeout: 250_000 })).toBe(250);
      expect(remaining({}, { timeout: 0 })).toBe(Infinity);
    });

    it('is the earlier of expiration and timeout', () => {
      expect(remaining({ expiration: '100' }, { timeout: 250_000 })).toBe(100);
      expect(remaining({ expiration: '900' }, { timeout: 250_000 })).toBe(250);
    });

    it('reads the header x-deadline as a moment, in ms since 1970', () => {
      expect(remaining({ headers: { 'x-deadline': NOW + 70 } })).toBe(70);
      expect(remaining({ headers: { 'x-deadline': NOW - 70 } })).toBe(-70);
      expect(remaining({ headers: { 'x-deadline': NOW + 70 }, expiration: '50' })).toBe(50);
      expect(remaining({ headers: { 'x-deadline': NOW + 70 }, expiration: '90' })).toBe(70);
      for (const absent of ['soon', NaN, -1, null])
        expect(remaining({ headers: { 'x-deadline': absent } })).toBe(Infinity);
    });

    it('is the one of its first attempt where a worker tries it again, or an earlier one', () => {
      const again = { 'x-onnxmq-deadline': NOW + 70 };
      expect(remaining({ headers: again })).toBe(70);
      expect(remaining({ headers: { ...again, 'x-deadline': NOW + 60 } })).toBe(60);
      expect(remaining({ headers: { ...again, 'x-deadline': NOW + 80 } })).toBe(70);
    });

    it.each([
      ['expiration', { expiration: '500' }, 500],
      ['expiration and timestamp', { expiration: '500', timestamp: NOW - 100 }, 400],
      ['x-deadline', { headers: { 'x-deadline': NOW + 300 } }, 300],
    ])('is the same moment however late the message is decoded: %s', (_, properties, expected) => {
      const receivedAt = performance.now();
      const message = messageOf({ data: [] }, properties);
      jest.advanceTimersByTime(200);
      expect(decodeRequest(message.content, message, receivedAt).deadline).toBeCloseTo(
        receivedAt + expected,
        6,
      );
    });

    it('is foreseen before decoding, as it will be decoded', () => {
      const cases: [body: object | string, properties: Properties][] = [
        [{ data: [] }, {}],
        [{ data: [] }, { expiration: '500' }],
        [{ data: [], parameters: { timeout: 250_000 } }, {}],
        [{ data: [], parameters: { timeout: 250_000 } }, { expiration: '100' }],
        [{ pattern: 'infer', data: { data: [], parameters: { timeout: 1000 } } }, { expiration: '100' }],
      ];
      for (const [body, properties] of cases) {
        const message = messageOf(body, properties);
        const { deadline } = decodeRequest(message.content, message, performance.now());
        expect(foreseeDeadline(message, performance.now())).toBe(deadline);
      }
    });

    it('is foreseen from the properties alone where the body is broken or compressed', () => {
      const timeout = { data: [], parameters: { timeout: 1000 } };
      const compressed = messageOf(gzipSync(JSON.stringify(timeout)), { contentEncoding: 'gzip' });
      expect(foreseeDeadline(compressed, 0)).toBeUndefined();
      const broken = messageOf('{"timeout"', { expiration: '100' });
      expect(foreseeDeadline(broken, 0)).toBe(100);
    });

    it.each([['UTF-8'], [' identity '], ['']])(
      'is foreseen with the content_encoding %j, which is no compression',
      (contentEncoding) => {
        const message = messageOf({ data: [], parameters: { timeout: 1000 } }, { contentEncoding });
        expect(foreseeDeadline(message, 0)).toBe(1);
      },
    );

    it('is foreseen from the properties alone where the body is no UTF-8', () => {
      const message = messageOf(latin1('{"id":"\xff","timeout":NaN}'), { expiration: '100' });
      expect(foreseeDeadline(message, 0)).toBe(100);
    });

    it('is foreseen from the JSON alone where tensors follow as bytes, however many', () => {
      const bytes = Buffer.alloc(2 << 20, '"timeout"');
      const inputs = [binaryInput('x', 'UINT8', [1, bytes.length], bytes)];
      const foreseen = (json: object) => {
        const { content, options } = binaryBody(json, bytes);
        return foreseeDeadline({ content, properties: options }, 0);
      };
      expect(foreseen({ inputs, parameters: { timeout: 1000 } })).toBe(1);
      expect(foreseen({ inputs })).toBeUndefined();
    });

    it.each([[-1], ['5'], [false], [{}]])('is refused when the timeout is %j', (timeout) => {
      expect(refusal({ data: [], parameters: { timeout } }).code).toBe('INVALID_REQUEST');
    });
  });

  describe('null', () => {
    const bare = { data: [1] };
    const given = { correlationId: 'c', type: 'type' };

    it.each(['id', 'model', 'model_name', 'parameters', 'outputs', 'inputs'])(
      'is taken for a %s that is not given',
      (field) => {
        expect(decoded({ [field]: null, ...bare }, given)).toEqual(decoded(bare, given));
        const packet = (data: object) => ({ pattern: 'infer', id: 'n', data });
        expect(decoded(packet({ [field]: null, ...bare }))).toEqual(decoded(packet(bare)));
      },
    );

    it.each(['timeout', 'binary_data_output'])('is taken for a parameter %s that is not given', (name) => {
      expect(decoded({ parameters: { [name]: null }, ...bare })).toEqual(decoded(bare));
    });

    it('is taken for the fields of tensors and outputs that are not given', () => {
      const plain = { inputs: [tensor], outputs: [{ name: 'y' }] };
      for (const parameters of [null, { binary_data_size: null }])
        expect(decoded({ ...plain, inputs: [{ ...tensor, parameters }] })).toEqual(decoded(plain));
      for (const parameters of [null, { binary_data: null }])
        expect(decoded({ ...plain, outputs: [{ name: 'y', parameters }] })).toEqual(decoded(plain));
      expect(decoded({ ...plain, data: null, id: null })).toEqual(decoded(plain));
    });

    it('is taken for the id and the pattern of a Nest packet that are not given', () => {
      expect(decode({ pattern: 'infer', id: null, data: bare }).packet).toEqual({});
      expect(decode({ pattern: null, ...bare }).packet).toBeUndefined();
    });

    it('does not stand for what a request needs', () => {
      for (const body of [{ data: null }, { inputs: null }, { data: null, inputs: null }])
        expect(refusal(body).message).toContain('needs `data`');
      for (const field of ['name', 'shape', 'datatype', 'data'])
        expect(refusal({ inputs: [{ ...tensor, [field]: null }] }).code).toBe('INVALID_REQUEST');
    });

    /** All but the bytes of the body. */
    function decoded(body: object, properties: Properties = {}) {
      return { ...decode(body, properties), json: undefined };
    }
  });

  describe('bodies that cannot be read', () => {
    it.each([
      ['nothing', ''],
      ['no JSON', 'hello'],
      ['cut JSON', '{"data":[1,'],
      ['bytes that are no text', Buffer.from([0xff, 0xfe, 0])],
    ])('are INVALID_JSON: %s', (_, body) => {
      expect(refusal(body).code).toBe('INVALID_JSON');
    });

    it.each([
      ['in an id', '{"id":"\xff\xfe","data":[1]}', 7],
      ['in a model', '{"model":"dig\xffits","data":[1]}', 13],
      ['in a Nest packet', '{"pattern":"infer","data":{"id":"\xc3(","data":[1]}}', 33],
      ['in a text that is to be inferred', '{"data":["na\xefve"]}', 12],
      ['in a field that nobody reads', '{"data":[1],"note":"\xe2\x82"}', 20],
      ['after other characters', '\xef\xbb\xbf{"a":"\xe2\x82\xac","\xf8":1}', 15],
      ['at the end', `{"data":[${'1,'.repeat(100)}1]}\xf0\x9f`, 212],
    ])('say where bytes are no UTF-8: %s', (_, body, offset) => {
      const { code, message } = refusal(latin1(body));
      expect(code).toBe('INVALID_JSON');
      expect(message).toContain(`is not UTF-8 from byte offset ${offset} on`);
    });

    it('say where bytes are no UTF-8, wherever in a text that is', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (before, after) => {
          const bytes = [Buffer.from(before), Buffer.from([0xff]), Buffer.from(after)];
          expect(refusal(Buffer.concat(bytes)).message).toContain(`byte offset ${bytes[0]?.length} on`);
        }),
      );
    });

    it('say where the JSON before binary tensors is no UTF-8, and do not mind what the tensors are', () => {
      const bytes = Buffer.from([0xff, 0xfe, 0xfd, 0xfc]);
      const { content, options } = binaryBody({ inputs: [binaryInput('x', 'FP32', [1, 1], bytes)] }, bytes);
      expect(decode(content, options).input.form).toBe('tensors');
      expect(refusal(Buffer.from(content).fill(0xff, 3, 4), options).message).toContain('byte offset 3 on');
    });

    it('keep U+FFFD where it was sent', () => {
      expect(decode({ id: '\ufffd', data: [] }).id).toBe('\ufffd');
    });

    it.each([
      ['{"data":[1,NaN]}', 'NaN', 11],
      ['{"data":[Infinity,1]}', 'Infinity', 9],
      ['{"data":[[1,-Infinity]]}', '-Infinity', 12],
      ['{"parameters":{"x":NaN},"data":[1]}', 'NaN', 19],
      ['{"pattern":"infer","id":"1","data":{"data":[ NaN ]}}', 'NaN', 45],
      ['{"id":"NaN, Infinity","data":["NaN","\\"NaN",NaN]}', 'NaN', 44],
      ['{"id":"€","data":[NaN]}', 'NaN', 20],
      ['\ufeff{"data":[NaN]}', 'NaN', 12],
      ['{"data":[nan]}', 'nan', 9],
      ['{"data":[-inf]}', '-inf', 9],
    ])('say that JSON has no such number: %s', (body, number, offset) => {
      const { code, message } = refusal(body);
      expect(code).toBe('INVALID_JSON');
      expect(message).toContain(`it has ${number} at byte offset ${offset}; send null for NaN`);
      expect(message).toContain('or binary tensors');
    });

    it.each([
      ['', 'is empty'],
      [' \n', 'is empty'],
      ['{"data":[1,2', 'ends too early'],
      ['{"data":"a', 'ends too early'],
      ['{"data":[1,]}', 'from byte offset 11 on'],
      ["{'data':[1]}", 'from byte offset 1 on'],
      ['{"data":[NaNs]}', 'from byte offset 9 on'],
      ['{"€":"NaN" 1}', 'from byte offset 13 on'],
      ['{"data":[1]}{"data":[1]}', 'from byte offset 12 on'],
    ])('say where they stop being JSON: %j', (body, where) => {
      expect(refusal(body)).toMatchObject({ code: 'INVALID_JSON', message: expect.stringContaining(where) });
    });

    it.each([
      ['an array', [1, 2]],
      ['a text', '"text"'],
      ['null', 'null'],
      ['an empty object', {}],
      ['data that is no array', { data: 5 }],
      ['a packet without data', { pattern: 'infer', id: '1' }],
      ['inputs that are no array', { inputs: {} }],
      ['an input that is no object', { inputs: [null] }],
      ['an input without a name', { inputs: [{ ...tensor, name: undefined }] }],
      ['an input without a shape', { inputs: [{ ...tensor, shape: undefined }] }],
      ['a negative dimension', { inputs: [{ ...tensor, shape: [-1] }] }],
      ['a fractional dimension', { inputs: [{ ...tensor, shape: [0.5] }] }],
      ['a dimension beyond 2^53', { inputs: [{ ...tensor, shape: [2 ** 60] }] }],
      ['an input without a datatype', { inputs: [{ ...tensor, datatype: 32 }] }],
      ['an input without data', { inputs: [{ ...tensor, data: undefined }] }],
      ['two inputs of one name', { inputs: [tensor, tensor] }],
      ['outputs that are no array', { inputs: [tensor], outputs: 'probs' }],
      ['an output without a name', { inputs: [tensor], outputs: [{}] }],
      ['parameters that are no object', { inputs: [tensor], parameters: [] }],
    ])('are INVALID_REQUEST: %s', (_, body) => {
      expect(refusal(body).code).toBe('INVALID_REQUEST');
    });
  });

  const DOCUMENTED = ['INVALID_JSON', 'INVALID_REQUEST'];

  it('makes a request or a documented error of any bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => Buffer.from(json)),
        ),
        (bytes) => {
          expect(outcome(Buffer.from(bytes), {})).toMatch(/^(request|INVALID_JSON|INVALID_REQUEST)$/);
        },
      ),
    );
  });

  it('makes a request or a documented error of any fields and any properties', () => {
    const field = fc.option(fc.oneof(fc.jsonValue(), fc.constantFrom('infer', [tensor], [1])), {
      nil: undefined,
    });
    const names = [
      'id',
      'model',
      'model_name',
      'data',
      'inputs',
      'outputs',
      'parameters',
      'pattern',
    ] as const;
    const body = fc.record(Object.fromEntries(names.map((name) => [name, field])), { requiredKeys: [] });
    const properties = fc.record(
      {
        messageId: fc.anything(),
        correlationId: fc.anything(),
        expiration: fc.oneof(fc.string(), fc.nat().map(String)),
        timestamp: fc.oneof(fc.anything(), fc.double()),
        type: fc.oneof(fc.string(), fc.jsonValue()),
        headers: fc.dictionary(fc.constantFrom('x-model', 'other'), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(body, properties, (fields, given) => {
        expect(['request', ...DOCUMENTED]).toContain(outcome(Buffer.from(JSON.stringify(fields)), given));
      }),
      { numRuns: 500 },
    );
  });

  it('never quotes the body in an error', () => {
    const secret = 'hunter2';
    const bodies = [
      secret,
      `{"data": ${secret}}`,
      { data: secret },
      { id: [secret], data: [] },
      { model: [secret], data: [] },
      { pattern: secret, data: [] },
      { inputs: secret },
      { inputs: [secret] },
      { inputs: [{ ...tensor, shape: [secret] }] },
      { inputs: [{ ...tensor, data: secret }] },
      {
        inputs: [
          { ...tensor, name: secret },
          { ...tensor, name: secret },
        ],
      },
      { inputs: [tensor], outputs: [secret] },
      { data: [], parameters: { timeout: secret } },
    ];
    for (const body of bodies) expect(refusal(body).message).not.toContain(secret);
  });

  function outcome(content: Buffer, properties: Properties): string {
    try {
      decodeRequest(content, { content, properties });
      return 'request';
    } catch (error) {
      return error instanceof InferenceError ? error.code : `thrown: ${String(error)}`;
    }
  }
});

describe('identify', () => {
  const identifyOf = (message: RequestMessage) => identify(message.content, message);

  it('reads the body that it is given, where the message holds a compressed one', () => {
    const compressed = messageOf(gzipSync('{"id":"r"}'), { contentEncoding: 'gzip', messageId: 'm' });
    expect(identify(Buffer.from('{"id":"r"}'), compressed)).toEqual({ id: 'r' });
    expect(identifyOf(compressed)).toEqual({ id: 'm' });
  });

  it('finds the id and the packet of a request that is otherwise wrong', () => {
    const body = { pattern: 'infer', id: 'n', data: { id: 'r', inputs: 'wrong' } };
    expect(identifyOf(messageOf(body))).toEqual({ id: 'r', packet: { id: 'n' } });
  });

  it('falls back to the properties when the body is broken or its id is no text', () => {
    expect(identifyOf(messageOf('{', { messageId: 'm' }))).toEqual({ id: 'm' });
    expect(identifyOf(messageOf({ id: 5 }, { correlationId: 'c' }))).toEqual({ id: 'c' });
    expect(identifyOf(messageOf('', {}))).toEqual({});
    expect(identifyOf(messageOf(latin1('{"id":"\xff"}'), { messageId: 'm' }))).toEqual({ id: 'm' });
    expect(identifyOf(messageOf('{"id":"a","data":[NaN]}', { correlationId: 'c' }))).toEqual({ id: 'c' });
  });

  it('names a request as decodeRequest does, and never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (id, data) => {
        const message = messageOf({ id, data, pattern: 'infer' }, { messageId: 'm' });
        expect(identifyOf(message).packet).toBeDefined();
        const direct = messageOf({ id, data: [] }, { messageId: 'm' });
        expect(identifyOf(direct).id).toBe(typeof id === 'string' ? id : 'm');
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => identifyOf(messageOf(Buffer.from(bytes))) !== undefined),
    );
  });
});
