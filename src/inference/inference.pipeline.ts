import { Injectable, Logger } from '@nestjs/common';
import { mergeMap, Observable, range } from 'rxjs';
import { Settings } from '../config/settings.js';
import { Capacity } from '../models/capacity.js';
import { Preprocessor } from '../preprocess/preprocessor.js';
import { encodeResult } from '../protocol/answer.encoder.js';
import { readContent } from '../protocol/content-encoding.js';
import { InferenceRequest } from '../protocol/inference-request.js';
import { decodeRequest, identify } from '../protocol/request.decoder.js';
import { Row } from '../protocol/rows.js';
import { Delivery } from '../rabbitmq/delivery.js';
import { ResultPublisher } from '../rabbitmq/result.publisher.js';
import { Suspicion } from '../rabbitmq/suspicion.js';
import { DeliveryQueue } from './delivery-queue.js';
import { dispositionOf } from './disposition.js';
import { asInferenceError, InferenceError } from './inference.errors.js';
import { InferenceService } from './inference.service.js';
import { ServedModel } from './served-model.js';

/** An id is the producer's, and may be as long as a body. */
const MAX_LOGGED_ID = 100;
const HAND_BACK_DELAY_MS = 5_000;

/** The life of a message, for up to `CONCURRENCY` messages at once. */
@Injectable()
export class InferencePipeline {
  private readonly deliveries = new DeliveryQueue();
  /** Deliveries that were taken from this worker while it was at them: their slots have been replaced. */
  private readonly abandoned = new Set<Delivery>();
  private readonly logger = new Logger('Inference');

  constructor(
    private readonly capacity: Capacity,
    private readonly settings: Settings,
    private readonly preprocessor: Preprocessor,
    private readonly inference: InferenceService,
    private readonly results: ResultPublisher,
  ) {}

  /** Takes custody: from here on the delivery is settled by this class alone. */
  accept(delivery: Delivery): void {
    this.deliveries.push(delivery);
  }

  /** Opens the slots; what was accepted before waits for them. The capacity is planned by then: the models are warm. */
  open(): void {
    range(0, this.capacity.concurrency)
      .pipe(mergeMap(() => this.slot(), this.capacity.concurrency))
      .subscribe();
  }

  /**
   * One of the `CONCURRENCY` slots: processes one delivery after the other as long as the worker lives. Under
   * `mergeMap` are the slots and not the deliveries, whose subscriptions would cost as much as decoding them, and more
   * the more there are.
   */
  private slot(): Observable<never> {
    return new Observable(() => {
      const process = (delivery: Delivery) => void this.process(delivery).then(processNext);
      const processNext = (delivery: Delivery) => {
        if (this.abandoned.size === 0 || !this.abandoned.delete(delivery)) this.deliveries.next(process);
      };
      this.deliveries.join(process);
    });
  }

  /** The broker has the delivery again. If it is being processed, which may never end, another slot takes the place. */
  abandon(delivery: Delivery): void {
    if (!delivery.isBegun) return;
    this.abandoned.add(delivery);
    this.slot().subscribe();
    this.deliveries.leave();
  }

  /** Never rejects: a rejection would end its slot. @returns the delivery */
  private async process(delivery: Delivery): Promise<Delivery> {
    delivery.isBegun = true;
    let { content } = delivery.message;
    let model: ServedModel | undefined;
    try {
      if (delivery.suspicion.isConclusive) throw crashSuspect(delivery.suspicion);
      const reading = readContent(delivery.message, this.settings.MAX_MESSAGE_BYTES);
      if (reading !== content) content = await reading;
      const request = decodeRequest(content, delivery.message, delivery.receivedAt);
      model = this.inference.model(request.model);
      const rows = await this.prepare(request, model);
      const outputs = await this.inference.infer(model, rows, request.deadline);
      await this.results.publish(delivery, request.id, encodeResult(request, model, outputs));
      delivery.ack();
    } catch (error) {
      await this.fail(delivery, error, content, model?.name);
    }
    return delivery;
  }

  /**
   * Settles a delivery that gets no result. Never rejects.
   *
   * @param content the body, decompressed where that was possible
   */
  async fail(
    delivery: Delivery,
    cause: unknown,
    content: Buffer = delivery.message.content,
    model?: string,
  ): Promise<void> {
    const error = asInferenceError(cause, 'INTERNAL', 'the worker failed');
    try {
      if (dispositionOf(error, delivery) === 'drop') return;
      const identity = identify(content, delivery.message);
      this.logger.warn({
        code: error.code,
        id: identity.id?.slice(0, MAX_LOGGED_ID),
        model,
        message: error.message,
      });
      await this.results.publishError(delivery, identity, error);
      await this.results.deadLetter(delivery, error, model);
      delivery.ack();
    } catch (failure) {
      await this.handBack(delivery, failure);
    } finally {
      delivery.drop();
    }
  }

  private prepare(request: InferenceRequest, model: ServedModel): Promise<Row[]> {
    model.expect();
    try {
      return this.preprocessor.prepare(request, model).then(model.onPrepared, model.onPrepareFailed);
    } catch (error) {
      return model.onPrepareFailed(error);
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

function crashSuspect({ crashes }: Suspicion): InferenceError {
  return new InferenceError(
    'CRASH_SUSPECT',
    `the worker crashed ${crashes} times with this request in hand, in the end with no other; have the request and the model examined before it is sent again`,
  );
}
