import { Injectable, Logger } from '@nestjs/common';
import { mergeMap, Observable, range } from 'rxjs';
import { Settings } from '../config/settings.js';
import { deadlineExceeded } from '../deadline/deadline.js';
import { DeadlineWatch } from '../deadline/deadline-watch.js';
import { Capacity } from '../models/capacity.js';
import { Preprocessor } from '../preprocess/preprocessor.js';
import { encodeResult } from '../protocol/answer.encoder.js';
import { readContent } from '../protocol/content-encoding.js';
import { InferenceRequest } from '../protocol/inference-request.js';
import { decodeRequest, foreseeDeadline, identify } from '../protocol/request.decoder.js';
import { Row } from '../protocol/rows.js';
import { Delivery } from '../rabbitmq/delivery.js';
import { ResultPublisher } from '../rabbitmq/result.publisher.js';
import { DeliveryQueue } from './delivery-queue.js';
import { dispositionOf } from './disposition.js';
import { asInferenceError } from './inference.errors.js';
import { InferenceService } from './inference.service.js';
import { ServedModel } from './served-model.js';

/** An id is the producer's, and may be as long as a body. */
const MAX_LOGGED_ID = 100;
const HAND_BACK_DELAY_MS = 5_000;

/** The life of a message, for up to `CONCURRENCY` messages at once. */
@Injectable()
export class InferencePipeline {
  private readonly deliveries = new DeliveryQueue();
  private readonly waitingForSlot = new DeadlineWatch<Delivery>((delivery, deadline) => {
    if (this.deliveries.remove(delivery))
      void this.fail(delivery, deadlineExceeded(deadline, 'while it waited for its turn (CONCURRENCY)'));
  });
  private readonly inPreprocessing = new DeadlineWatch<(error: Error) => void>((reject, deadline) =>
    reject(deadlineExceeded(deadline, 'in preprocessing')),
  );
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
    if (!this.deliveries.push(delivery)) return;
    const deadline = foreseeDeadline(delivery.message, delivery.receivedAt);
    if (deadline !== undefined) this.waitingForSlot.begin(delivery, deadline);
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
      const process = (delivery: Delivery) => {
        this.waitingForSlot.end(delivery);
        void this.process(delivery).then(processNext);
      };
      const processNext = () => this.deliveries.next(process);
      processNext();
    });
  }

  /** Never rejects: a rejection would end its slot. */
  private async process(delivery: Delivery): Promise<void> {
    let { content } = delivery.message;
    let model: ServedModel | undefined;
    let preparing: Promise<Row[]> | undefined;
    try {
      const reading = readContent(delivery.message, this.settings.MAX_MESSAGE_BYTES);
      if (reading !== content) content = await reading;
      const request = decodeRequest(content, delivery.message, delivery.receivedAt);
      model = this.inference.model(request.model);
      const rows = await this.inTime((preparing = this.prepare(request, model)), request.deadline);
      const outputs = await this.inference.infer(model, rows, request.deadline);
      await this.results.publish(delivery, request.id, encodeResult(request, model, outputs));
      delivery.ack();
    } catch (error) {
      await this.fail(delivery, error, content, model?.name);
      await preparing?.catch(() => {}); // what outlives its deadline there still takes up its slot
    }
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

  /** What preprocessing gives, unless the deadline passes before. @throws InferenceError DEADLINE_EXCEEDED then */
  private inTime(preparing: Promise<Row[]>, deadline: number | undefined): Promise<Row[]> {
    if (deadline === undefined) return preparing;
    return new Promise<Row[]>((resolve, reject) => {
      this.inPreprocessing.begin(reject, deadline);
      void preparing.then(resolve, reject).then(() => this.inPreprocessing.end(reject));
    });
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
