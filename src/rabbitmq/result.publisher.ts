import { Injectable, Logger } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { InferenceError, invalidRequest } from '../inference/inference.errors.js';
import { Activity } from '../metrics/activity.js';
import { BinaryBody, encodeError, Identity } from '../protocol/answer.encoder.js';
import { answerId } from '../protocol/answer.id.js';
import { turnNow } from '../turn-clock.js';
import { Answer } from './answer.frames.js';
import { ConfirmedOutcomes } from './confirmed-outcomes.js';
import { ConfirmedPublisher } from './confirmed.publisher.js';
import { isDirectReply } from './outgoing.js';
import { PublishAbandonedError, RefusedError, TooLargeError, UnroutableError } from './publish.errors.js';
import { forward } from './forward.js';
import { deadLetterProperties, reasonHeaders } from './dead-letter.js';
import { Delivery } from './delivery.js';
import { FailedAttempts, retryHeaders, retryProperties } from './retry.js';
import { deadLetterQueue, retryQueue } from './topology.js';

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

/** When a request is tried again. */
export interface Retry extends FailedAttempts {
  readonly delayMs: number;
}

/** Sends the outcome of a delivery where it belongs, and counts it. Each method resolves when the broker has confirmed. */
@Injectable()
export class ResultPublisher {
  private readonly logger = new Logger('Results');

  constructor(
    private readonly settings: Settings,
    private readonly publisher: ConfirmedPublisher,
    private readonly activity: Activity,
    private readonly outcomes: ConfirmedOutcomes,
  ) {}

  /** Whether the outcome of this attempt is confirmed already, and only its ack got lost. True once. */
  isConfirmed(delivery: Delivery): boolean {
    return this.outcomes.has(delivery);
  }

  /**
   * The result, to the requester's `reply_to`, else to `RESULTS_QUEUE`, else nowhere.
   *
   * @throws InferenceError REPLY_UNROUTABLE when that queue does not exist, REPLY_REFUSED when it is full, TOO_LARGE when
   *   the broker takes no message of that size, INVALID_REQUEST when what is echoed in an answer cannot be written
   */
  publish(delivery: Delivery, id: string | undefined, body: string | BinaryBody): Promise<void> {
    if (this.isConfirmed(delivery)) return Promise.resolve(); // meanwhile, on its earlier way through this process
    return this.answer(delivery, id, 'inference.result', body).then(() => {
      this.activity.answered(turnNow() - delivery.receivedAt);
      this.outcomes.remember(delivery);
    }, this.refuseAnswer);
  }

  /**
   * The error answer, and then the request itself to the dead-letter queue, with the reason in its headers: whoever asked
   * does not wait for the filing.
   *
   * @throws UnroutableError when there is no dead-letter queue, RefusedError when it is full: the error answer is sent then
   */
  async bury(
    delivery: Delivery,
    identity: Identity,
    error: InferenceError,
    model: string | undefined,
  ): Promise<void> {
    await this.publishError(delivery, identity, error);
    await this.deadLetter(delivery, error, model);
    this.outcomes.remember(delivery);
  }

  /** The error answer, sent where the result would have gone. One that nobody waits for is no failure. */
  private async publishError(delivery: Delivery, identity: Identity, error: InferenceError): Promise<void> {
    if (error.code === 'REPLY_UNROUTABLE' || error.code === 'REPLY_REFUSED') return;
    await this.answer(delivery, identity.id, 'inference.error', encodeError(identity, error)).catch(
      (failure: unknown) => {
        // The dead letter is what must not fail.
        if (failure instanceof PublishAbandonedError) throw failure;
      },
    );
  }

  private async deadLetter(
    delivery: Delivery,
    error: InferenceError,
    model: string | undefined,
  ): Promise<void> {
    const reason = reasonHeaders(delivery, error, model);
    const queue = deadLetterQueue(this.settings);
    await forward(this.publisher, delivery, queue, deadLetterProperties(delivery, reason), reason);
    this.activity.deadLettered();
  }

  /**
   * The request itself, to the retry queue of that delay.
   *
   * @param retry when, and which attempts have used up no delay so far
   * @param about the model, where it is known, and the deadline on the clock of `performance.now()`
   * @throws UnroutableError when there is no such queue, RefusedError when it is full
   */
  async retry(
    delivery: Delivery,
    error: InferenceError,
    retry: Retry,
    about: { readonly model?: string; readonly deadline?: number },
  ): Promise<void> {
    const headers = retryHeaders(delivery, error, retry, about);
    const queue = retryQueue(this.settings, retry.delayMs);
    await forward(this.publisher, delivery, queue, retryProperties(delivery, headers), headers);
    this.activity.retried();
    this.outcomes.remember(delivery);
  }

  private answer(
    delivery: Delivery,
    id: string | undefined,
    type: Answer['type'],
    body: string | BinaryBody,
  ): Promise<void> {
    const { properties } = delivery.message;
    const queue = (properties.replyTo as string | undefined) || this.settings.RESULTS_QUEUE;
    if (!queue) {
      this.logger.debug({ message: 'an answer that nobody asked for is only counted', type });
      return Promise.resolve();
    }
    const traceparent: unknown = properties.headers?.['traceparent'];
    return this.publisher.publish(
      {
        queue,
        body: typeof body === 'string' ? body : body.json,
        tensors: typeof body === 'string' ? undefined : body.tensors,
        type,
        messageId: answerId(delivery.message, id),
        correlationId: properties.correlationId as string | undefined,
        traceparent:
          typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined,
        mandatory: !isDirectReply(queue),
      },
      delivery,
    );
  }

  /** Why there is no answer, in terms of the request. A queue that the request names is its own affair. */
  private readonly refuseAnswer = (error: unknown): never => {
    if (error instanceof UnroutableError)
      throw new InferenceError(
        'REPLY_UNROUTABLE',
        `the answer has nowhere to go: ${error.message} (any more)`,
      );
    if (error instanceof RefusedError)
      throw new InferenceError('REPLY_REFUSED', `the answer finds no room: ${error.message}`, {
        isOwnFault: error.isItsOwnFault,
      });
    if (error instanceof TooLargeError)
      throw new InferenceError(
        'TOO_LARGE',
        `the answer is too large: ${error.message}; ask for less at once`,
      );
    if (error instanceof RangeError || error instanceof TypeError)
      throw invalidRequest(
        `the answer cannot carry the properties of its request; use short texts in UTF-8 (${error.message})`,
      );
    throw error;
  };
}
