import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { PROJECT_FOLDER, readTestSet } from '../../src/cli/test-set.js';
import { fault } from './fault.js';
import { FaultPlan } from './fault-plan.js';
import { oddBodies } from './odd-requests/bodies.js';
import { oddEncodings } from './odd-requests/encodings.js';
import { oddHeaders } from './odd-requests/headers.js';
import { OddRequest, OddRequests } from './odd-requests/odd-requests.js';
import { lyingTensors } from './odd-requests/tensors.js';

const image = readTestSet().images[0] as number[];
/** RabbitMQ 4 takes 16 MiB where it is not told otherwise. */
const LARGE_MESSAGES = { config: ['max_message_size = 134217728'] };
/** Room for the other requests and answers. */
const SMALL_MESSAGES = 65_536;

const modelsDir = mkdtempSync(join(tmpdir(), 'onnxmq-models-'));
afterAll(() => rmSync(modelsDir, { recursive: true }));
for (const folder of ['models/digits', 'test/support/models/echo', 'test/support/models/lookup'])
  symlinkSync(join(PROJECT_FOLDER, folder), join(modelsDir, folder.split('/').at(-1) as string));

fault(21, 'bodies are garbage', {
  ...among((seed) => oddBodies(image, seed)),
  brokerOptions: LARGE_MESSAGES,
  readiness: undefined,
  stallsWorker: true,
  maxRssMb: 768, // 16 MB of JSON, which are allowed, take 200 MB to parse; and the heap grows faster than it shrinks
});

fault(22, 'tensors lie', {
  ...among((seed) => lyingTensors(image, seed)),
  env: { MODELS_DIR: modelsDir, DEFAULT_MODEL: 'digits' },
});

fault(22, 'answers are larger than the broker takes', {
  ...among(() => largeAnswers()),
  env: { MODELS_DIR: modelsDir, DEFAULT_MODEL: 'digits' },
  brokerOptions: { config: [`max_message_size = ${SMALL_MESSAGES}`] },
  breaks: 1,
  readiness: undefined,
  channelError: 'precondition_failed',
});

fault(
  23,
  'bodies are bombs, or encoded otherwise than they say',
  among(() => oddEncodings(image)),
);

fault(
  24,
  'headers are odd',
  among((seed) => oddHeaders(image, seed)),
);

/** The squares of numbers of one digit have two. */
function largeAnswers(): OddRequest[] {
  const rows = SMALL_MESSAGES / 2 - 100;
  const input = { name: 'index', datatype: 'INT64', shape: [rows, 1], data: Array<number>(rows).fill(9) };
  const large: OddRequest = {
    oddity: 'an answer that is too large',
    body: { model: 'lookup', inputs: [input] },
    code: 'TOO_LARGE',
  };
  return [large, large, large];
}

/** Odd requests are sent among the others: each is answered by its one outcome, and none other is harmed. */
function among(
  corpus: (seed: number) => OddRequest[],
): Pick<FaultPlan, 'breaks' | 'readiness' | 'inject' | 'check'> {
  let requests: OddRequests;
  return {
    breaks: 0,
    readiness: 'stays',
    inject: (lab) => {
      requests = new OddRequests(corpus(lab.seed));
      return requests.send(lab);
    },
    check: (lab) => requests.check(lab),
  };
}
