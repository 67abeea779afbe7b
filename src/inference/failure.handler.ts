import { Injectable, Logger } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { Identity } from '../protocol/answer.encoder.js';
import { InferenceRequest } from '../protocol/inference-request.js';
import { readDeadline } from '../protocol/request.deadline.js';
import { identify } from '../protocol/request.decoder.js';
import { reasonHeaders } from '../rabbitmq/dead-letter.js';
import { RefusedError, UnroutableError } from '../rabbitmq/publish.errors.js';
import { retryHeaders } from '../rabbitmq/retry.js';
import { WaitingForRoom } from '../rabbitmq/waiting-for-room.js';
import { Delivery } from '../rabbitmq/delivery.js';
import { ResultPublisher } from '../rabbitmq/result.publisher.js';
import { Disposition, dispositionOf } from './disposition.js';
import { asInferenceError, InferenceError } from './inference.errors.js';
import { Outage } from './outage.js';

/** An id is the producer's, and may be as long as a body. */
const MAX_LOGGED_ID = 100;
const HAND_BACK_DELAY_MS = 5_000;

/** How far a delivery had come. */
export interface Progress {
  /** The body, decompressed where that was possible. */
  readonly content: Buffer;
  /** What was decoded of it. */
  readonly request?: Pick<InferenceRequest, 'id' | 'packet' | 'deadline'>;
  /** The name of the model, once it is known. */
  readonly model?: string;
}

/** Settles the deliveries that get no result: tried again later, or an error answer and a dead letter. */
@Injectable()
export class FailureHandler {
  private readonly logger = new Logger('Inference');

  constructor(
    private readonly settings: Settings,
    private readonly results: ResultPublisher,
    private readonly outage: Outage,
    private readonly waiting: WaitingForRoom,
  ) {}

  /**
   * Never rejects. The retry copy or the dead letter is confirmed, and only then the delivery is acknowledged. For what
   * finds no room it is not waited: that has its place elsewhere.
   */
  async fail(
    delivery: Delivery,
    cause: unknown,
    progress: Progress = { content: delivery.message.content },
  ): Promise<void> {
    const error = asInferenceError(cause, 'INTERNAL', 'the worker failed');
    if (!delivery.isStale) this.outage.failed(error, progress.model); // else it may have failed of that only
    try {
      const disposition = this.decide(error, delivery, progress);
      if (disposition.action === 'drop') return delivery.drop();
      if (this.results.isConfirmed(delivery)) return delivery.ack();
      const identity = progress.request ?? identify(this.readable(progress.content), delivery.message);
      this.report(error, delivery, disposition, identity.id, progress.model);
      const isRetried =
        disposition.action === 'retry' && (await this.retried(delivery, error, disposition, progress));
      if (!isRetried) await this.bury(delivery, identity, error, progress.model);
    } catch (failure) {
      await this.handBack(delivery, failure);
      delivery.drop();
    }
  }

  /** A body that is too large is not read for the ids in it. */
  private readable(content: Buffer): Buffer {
    return content.length > this.settings.MAX_MESSAGE_BYTES ? Buffer.alloc(0) : content;
  }

  private decide(error: InferenceError, delivery: Delivery, progress: Progress): Disposition {
    return dispositionOf(error, delivery, {
      delaysMs: this.settings.RETRY_DELAYS_MS,
      isOutage: this.outage.isExcused(progress.model),
      remainingMs: (deadlineOf(delivery, progress) ?? Infinity) - performance.now(),
    });
  }

  private report(
    error: InferenceError,
    delivery: Delivery,
    disposition: Disposition,
    id: string | undefined,
    model: string | undefined,
  ): void {
    this.logger.warn({
      code: error.code,
      id: id?.slice(0, MAX_LOGGED_ID),
      model,
      attempt: delivery.attempts,
      retryInMs: disposition.action === 'retry' ? disposition.delayMs : undefined,
      message: error.message,
    });
  }

  /** @returns false where there is no such retry queue */
  private async retried(
    delivery: Delivery,
    error: InferenceError,
    retry: Extract<Disposition, { action: 'retry' }>,
    progress: Progress,
  ): Promise<boolean> {
    const { model } = progress;
    const deadline = deadlineOf(delivery, progress);
    try {
      await this.results.retry(delivery, error, retry, { model, deadline });
      delivery.ack();
      return true;
    } catch (failure) {
      if (failure instanceof RefusedError) {
        this.waiting.retry(
          delivery,
          retryHeaders(delivery, error, retry, { model, deadline }),
          retry.delayMs,
        );
        return true;
      }
      if (failure instanceof UnroutableError) {
        this.logger.warn(`${failure.message}: the request is not tried again`);
        return false;
      }
      throw failure;
    }
  }

  private async bury(
    delivery: Delivery,
    identity: Identity,
    error: InferenceError,
    model: string | undefined,
  ): Promise<void> {
    try {
      await this.results.bury(delivery, identity, error, model);
      delivery.ack();
    } catch (failure) {
      if (!(failure instanceof RefusedError || failure instanceof UnroutableError)) throw failure;
      this.waiting.file(delivery, reasonHeaders(delivery, error, model));
    }
  }

  /** Not even the dead letter found a place. The message stays the broker's, slowly, so that nothing is lost. */
  private async handBack(delivery: Delivery, failure: unknown): Promise<void> {
    if (delivery.isStale) return;
    this.logger.error(
      `cannot dead-letter a message: ${(failure as Error).message}; it goes back to the queue`,
    );
    await new Promise((resolve) => setTimeout(resolve, HAND_BACK_DELAY_MS));
    delivery.handBack();
  }
}

/** Of a body that was not decoded, the properties alone may hold it. */
function deadlineOf({ message, receivedAt }: Delivery, { request }: Progress): number | undefined {
  return request ? request.deadline : readDeadline(message.properties, undefined, receivedAt);
}
