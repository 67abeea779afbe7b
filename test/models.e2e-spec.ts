import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type WorkerProcess } from '../src/cli/worker-process.js';
import { type BrokerClient } from './support/broker-client.js';
import { binaryBody, binaryInput, textElements } from './support/binary-body.js';
import { Stage } from './support/stage.js';

const ECHOED: readonly (readonly [name: string, datatype: string, data: readonly unknown[]])[] = [
  ['bool', 'BOOL', [true, false]],
  ['uint8', 'UINT8', [0, 255]],
  ['uint16', 'UINT16', [0, 65_535]],
  ['uint32', 'UINT32', [0, 4_294_967_295]],
  ['uint64', 'UINT64', [0, 9_007_199_254_740_991]],
  ['int8', 'INT8', [-128, 127]],
  ['int16', 'INT16', [-32_768, 32_767]],
  ['int32', 'INT32', [-2_147_483_648, 2_147_483_647]],
  ['int64', 'INT64', [-9_007_199_254_740_991, 9_007_199_254_740_991]],
  ['fp32', 'FP32', [-0.5, Math.fround(3e38)]],
  ['fp64', 'FP64', [0.1, -1.7e308]],
  ['bytes', 'BYTES', ['', 'naïve "text" 🐇\n']],
];

/** As typed arrays have them on this machine, which is little-endian. */
function elementBytes(datatype: string, data: readonly unknown[]): Buffer {
  if (datatype === 'BYTES') return textElements(data as string[]);
  if (datatype === 'BOOL') return Buffer.from(data.map(Number));
  if (datatype.endsWith('INT64'))
    return Buffer.from(BigInt64Array.from((data as number[]).map(BigInt)).buffer);
  const arrays = {
    UINT8: Uint8Array,
    UINT16: Uint16Array,
    UINT32: Uint32Array,
    INT8: Int8Array,
    INT16: Int16Array,
    INT32: Int32Array,
    FP32: Float32Array,
    FP64: Float64Array,
  };
  return Buffer.from(arrays[datatype as keyof typeof arrays].from(data as number[]).buffer);
}

describe('models with no model.json', () => {
  const stage = new Stage();
  let worker: WorkerProcess;
  let client: BrokerClient;

  beforeAll(async () => {
    worker = await stage.worker({ MODELS_DIR: 'test/support/models' });
    client = await stage.client();
  });

  afterAll(() => stage.clear());

  it('are all served, each as its file says', () => {
    const lines = worker.logs.filter(({ context }) => context === 'Models').map(({ msg }) => msg);
    for (const model of ['echo', 'fixed', 'lookup', 'mean', 'pair', 'versioned'])
      expect(lines).toContainEqual(expect.stringContaining(`${model} (version`));
  });

  it('take and give every datatype', async () => {
    const inputs = ECHOED.map(([name, datatype, data]) => ({ name, shape: [1, 2], datatype, data }));
    const { body } = await client.ask(stage.queue, { model: 'echo', inputs });
    expect(body['outputs']).toEqual(
      ECHOED.map(([name, datatype, data]) => ({
        name: `${name}_out`,
        shape: [1, 2],
        datatype,
        data,
      })),
    );
  });

  it('take and give every datatype as bytes', async () => {
    const pairs = ECHOED.map(
      ([name, datatype, data]) => [name, datatype, elementBytes(datatype, data)] as const,
    );
    const inputs = pairs.map(([name, datatype, bytes]) => binaryInput(name, datatype, [1, 2], bytes));
    const { content, options } = binaryBody(
      { id: 'b', model: 'echo', inputs, parameters: { binary_data_output: true } },
      ...pairs.map(([, , bytes]) => bytes),
    );
    const answer = await client.ask(stage.queue, content, options);
    expect(answer.properties).toMatchObject({
      type: 'inference.result',
      contentType: 'application/octet-stream',
    });
    const length = Number(answer.headers['inference-header-content-length']);
    const json = JSON.parse(answer.content.subarray(0, length).toString()) as Record<string, unknown>;
    expect(json).toMatchObject({ id: 'b', model_name: 'echo' });
    expect(json['outputs']).toEqual(
      pairs.map(([name, datatype, bytes]) => binaryInput(`${name}_out`, datatype, [1, 2], bytes)),
    );
    const sent = Buffer.concat(pairs.map(([, , bytes]) => bytes));
    expect(answer.content.subarray(length).equals(sent)).toBe(true);
  });

  it('say what is wrong with bytes that do not fit, and keep the request as it came', async () => {
    const dead = await client.collect(stage.deadLetters);
    const { content, options } = binaryBody(
      { model: 'mean', inputs: [binaryInput('values', 'FP32', [1, 3], Buffer.alloc(8))] },
      Buffer.alloc(8),
    );
    const { body, properties } = await client.ask(stage.queue, content, {
      ...options,
      correlationId: 'short',
    });
    expect(properties.contentType).toBe('application/json');
    expect(body).toMatchObject({ code: 'SHAPE_MISMATCH', error: expect.stringContaining('12 bytes') });
    const letter = await dead.answerTo('short');
    expect(letter.content.equals(content)).toBe(true);
    expect(letter.headers).toMatchObject(options.headers);
  });

  it('keep the rows of every datatype apart when requests share batches', async () => {
    const request = (index: number) =>
      ECHOED.map(([name, datatype]) => ({
        name,
        shape: [1, 2],
        datatype,
        data: datatype === 'BYTES' ? [`a${index}`, `b${index}`] : wholeNumbers(datatype, index),
      }));
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        client.ask(stage.queue, { model: 'echo', inputs: request(index) }),
      ),
    );
    for (const [index, { body }] of answers.entries())
      expect((body['outputs'] as { data: unknown }[]).map(({ data }) => data)).toEqual(
        request(index).map(({ data }) => data),
      );
  });

  it('take 64-bit integers beyond 2^53 as strings and give all their digits', async () => {
    const echoed = Object.fromEntries(ECHOED.map(([name, , data]) => [name, data]));
    echoed['int64'] = ['-9223372036854775808', '9223372036854775807'];
    const inputs = ECHOED.map(([name, datatype]) => ({ name, shape: [1, 2], datatype, data: echoed[name] }));
    const { content } = await client.ask(stage.queue, { model: 'echo', inputs });
    expect(content.toString()).toContain('-9223372036854775808');
    expect(content.toString()).toContain('9223372036854775807');
  });

  it.each([
    ['int64', '[9007199254740993,-9223372036854775808]'],
    ['uint64', '[9007199254740993,18446744073709551615]'],
    ['fp32', '[null,0.5]'],
    ['fp64', '[null,0.1]'],
  ])('give what they took, in the same JSON: %s %s', async (name, data) => {
    const { content } = await client.ask(stage.queue, echoRequest(name, data));
    expect(content.toString()).toContain(
      `"${name}_out","shape":[1,2],"datatype":"${name.toUpperCase()}","data":${data}`,
    );
  });

  it.each([['["a\\u0000b",""]'], ['["\\ud800",""]']])(
    'never get a text that ONNX Runtime would change: %s',
    async (data) => {
      const { body } = await client.ask(stage.queue, echoRequest('bytes', data));
      expect(body).toMatchObject({
        code: 'DATATYPE_MISMATCH',
        error: expect.stringContaining("input 'bytes': element 0 is a string with"),
      });
    },
  );

  it('may have two inputs and two outputs', async () => {
    const { body } = await client.ask(stage.queue, {
      model: 'pair',
      inputs: [
        // In another order than the model's.
        { name: 'right', shape: [2, 2], datatype: 'FP32', data: [1, 1, 1, 1] },
        { name: 'left', shape: [2, 2], datatype: 'FP32', data: [0, 1, 2, 3] },
      ],
    });
    expect(body['outputs']).toEqual([
      { name: 'difference', shape: [2, 2], datatype: 'FP32', data: [-1, 0, 1, 2] },
      { name: 'is_greater', shape: [2, 2], datatype: 'BOOL', data: [false, false, true, true] },
    ]);
  });

  it('give only the outputs that are asked for', async () => {
    const tensor = { shape: [1, 2], datatype: 'FP32', data: [1, 2] };
    const { body } = await client.ask(stage.queue, {
      model: 'pair',
      inputs: [
        { name: 'left', ...tensor },
        { name: 'right', ...tensor },
      ],
      outputs: [{ name: 'is_greater' }],
    });
    expect(body['outputs']).toEqual([
      { name: 'is_greater', shape: [1, 2], datatype: 'BOOL', data: [false, false] },
    ]);
  });

  it('refuse inputs that differ in their number of rows', async () => {
    const { body } = await client.ask(stage.queue, {
      model: 'pair',
      inputs: [
        { name: 'left', shape: [1, 2], datatype: 'FP32', data: [1, 2] },
        { name: 'right', shape: [2, 2], datatype: 'FP32', data: [1, 2, 3, 4] },
      ],
    });
    expect(body['code']).toBe('SHAPE_MISMATCH');
  });

  it('may have no batch dimension', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        client.ask(stage.queue, {
          model: 'fixed',
          inputs: [{ name: 'matrix', shape: [2, 3], datatype: 'FP32', data: [index, 1, 1, index, 2, 2] }],
        }),
      ),
    );
    expect(answers.map(({ body }) => body['outputs'])).toEqual(
      answers.map((_, index) => [
        { name: 'sums', shape: [2], datatype: 'FP32', data: [index + 2, index + 4] },
      ]),
    );
  });

  it.each([
    ['flat', [1, 2, 3, 4, 5, 6]],
    [
      'nested',
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
  ])('take %s shorthand data for a row of two dimensions', async (_, data) => {
    const { body } = await client.ask(stage.queue, { model: 'fixed', data });
    expect(body['outputs']).toEqual([{ name: 'sums', shape: [2], datatype: 'FP32', data: [6, 15] }]);
  });

  it('may take rows of any length, each answered by itself', async () => {
    const lengths = Array.from({ length: 100 }, (_, index) => (index % 9) + 1);
    const answers = await Promise.all(
      lengths.map((length) =>
        client.ask(stage.queue, { model: 'mean', data: Array.from({ length }, (_, at) => at * 2) }),
      ),
    );
    expect(answers.map(({ body }) => body['outputs'])).toEqual(
      lengths.map((length) => [{ name: 'mean', shape: [1, 1], datatype: 'FP32', data: [length - 1] }]),
    );
  });

  it('are served in their highest version, by number', async () => {
    const { body } = await client.ask(stage.queue, { model: 'versioned', data: [0.5] });
    expect(body).toMatchObject({ model_version: '10', outputs: [{ data: [10.5] }] });
  });

  it('do not get in each other’s way', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        index % 2 === 0
          ? client.ask(stage.queue, { model: 'lookup', data: [(index / 2) % 10] })
          : client.ask(stage.queue, { model: 'versioned', data: [index] }),
      ),
    );
    expect(answers.map(({ body }) => (body['outputs'] as { data: number[] }[])[0]?.data[0])).toEqual(
      answers.map((_, index) => (index % 2 === 0 ? ((index / 2) % 10) ** 2 : index + 10)),
    );
  });
});

describe('a row that the runtime fails on', () => {
  const stage = new Stage();
  let client: BrokerClient;

  beforeAll(async () => {
    await stage.worker({ MODELS_DIR: 'test/support/models', DEFAULT_MODEL: 'lookup', RETRY_DELAYS_MS: '20' });
    client = await stage.client();
  });

  afterAll(() => stage.clear());

  it('gets an error of its own; its batch-mates get their results', async () => {
    const indices = Array.from({ length: 300 }, (_, index) => (index % 20 === 7 ? 10 + index : index % 10));
    const answers = await Promise.all(indices.map((index) => client.ask(stage.queue, { data: [index] })));
    const seen = answers.map(
      ({ body }) => body['code'] ?? (body['outputs'] as { data: number[] }[])[0]?.data[0],
    );
    expect(seen).toEqual(indices.map((index) => (index < 10 ? index ** 2 : 'INFERENCE_FAILED')));
    const dead = await client.collect(stage.deadLetters);
    await dead.received(15);
  });

  it('fails its own request only, also within a request of several rows', async () => {
    const ask = (data: number[]) =>
      client.ask(stage.queue, {
        inputs: [{ name: 'index', shape: [data.length, 1], datatype: 'INT64', data }],
      });
    const [bad, good] = await Promise.all([ask([1, 99, 2]), ask([3, 4])]);
    expect(bad.body['code']).toBe('INFERENCE_FAILED');
    expect(good.body['outputs']).toMatchObject([{ shape: [2, 1], data: [9, 16] }]);
  });
});

/** Two values of a datatype that tell a request from its neighbours, as far as the datatype allows. */
function wholeNumbers(datatype: string, index: number): unknown[] {
  return datatype === 'BOOL' ? [index % 2 === 0, index % 3 === 0] : [index, 100 - index];
}

/** A request to `echo`, whose input of this name has this JSON as its data. */
function echoRequest(input: string, data: string): string {
  const inputs = ECHOED.map(
    ([name, datatype, usual]) =>
      `{"name":"${name}","datatype":"${datatype}","shape":[1,2],"data":${name === input ? data : JSON.stringify(usual)}}`,
  );
  return `{"model":"echo","inputs":[${inputs.join()}]}`;
}
