import type { Options } from 'amqplib';
import { type ErrorCode } from '../../../src/inference/inference.errors.js';
import { FaultLab } from '../fault-lab.js';
import { LAB_ID_HEADER } from '../load/load-client.js';
import { Outcomes } from '../load/ledger.js';
import { LoadRequest } from '../load/load-publisher.js';

/** A request out of the ordinary, and what is to come of it. */
export interface OddRequest {
  /** What is odd about it. */
  readonly oddity: string;
  readonly body: Buffer | string | object;
  readonly options?: Options.Publish;
  /** Of its one error answer and its one dead letter. `undefined`: it gets a result, as it is odd and not wrong. */
  readonly code?: ErrorCode;
  /** It has no ids but the one in its body. */
  readonly isNameless?: boolean;
  /** Of a header that is added. */
  readonly headerBytes?: number;
  /** Of the test set. Default: the first. */
  readonly image?: number;
}

/** Sends odd requests among the others, and knows what each must come to. */
export class OddRequests {
  constructor(private readonly requests: readonly OddRequest[]) {}

  async send(lab: FaultLab): Promise<void> {
    const usual: LoadRequest[] = [];
    for (const [index, request] of this.requests.entries()) {
      const message = loadRequest(request, idOf(index));
      if (request.headerBytes === undefined) usual.push(message);
      else await lab.load.sendLarge(message, request.headerBytes);
    }
    await lab.load.send(...usual);
  }

  /** Notes each that did not come to exactly what it must, how many had which code, and the slowest answer. */
  check(lab: FaultLab): void {
    let slowestMs = 0;
    for (const [index, { oddity, code }] of this.requests.entries()) {
      const outcomes = lab.load.ledger.outcomesOf(idOf(index));
      lab.expect(isOnly(outcomes, code), `${oddity}: ${told(outcomes)} instead of one ${code ?? 'result'}`);
      slowestMs = Math.max(slowestMs, outcomes?.answerMs ?? 0);
      lab.figures[code ?? 'results'] = (lab.figures[code ?? 'results'] ?? 0) + 1;
    }
    lab.figures['slowest answer ms'] = slowestMs;
  }
}

function idOf(index: number): string {
  return `odd${index}`;
}

function loadRequest({ body, options, code, isNameless, image = 0 }: OddRequest, id: string): LoadRequest {
  const content = isNameless ? { id, ...(body as object) } : body;
  const isRaw = Buffer.isBuffer(content) || typeof content === 'string';
  return {
    id,
    image,
    body: Buffer.from(isRaw ? content : JSON.stringify(content)),
    isGuilty: code !== undefined,
    options: {
      ...options,
      headers: { [LAB_ID_HEADER]: id, ...(options?.headers as object | undefined) },
      ...(isNameless ? { correlationId: undefined, messageId: undefined } : {}),
    },
  };
}

function isOnly(outcomes: Outcomes | undefined, code: ErrorCode | undefined): boolean {
  if (!outcomes) return false;
  const { results, errorCodes, deadCodes } = outcomes;
  if (code === undefined) return results === 1 && errorCodes.length === 0 && deadCodes.length === 0;
  return results === 0 && errorCodes.join() === code && deadCodes.join() === code;
}

function told({ results = 0, errorCodes = [], deadCodes = [] }: Partial<Outcomes> = {}): string {
  return `${results} results, the errors [${errorCodes.join()}] and the dead letters [${deadCodes.join()}]`;
}
