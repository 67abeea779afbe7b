import { Injectable } from '@nestjs/common';
import { mergeMap, Observable, range } from 'rxjs';
import { Settings } from '../config/settings.js';
import { deadlineExceeded } from '../deadline/deadline.js';
import { DeadlineWatch } from '../deadline/deadline-watch.js';
import { Preprocessor } from '../preprocess/preprocessor.js';
import { encodeResult } from '../protocol/answer.encoder.js';
import { readContent } from '../protocol/content-encoding.js';
import { InferenceRequest } from '../protocol/inference-request.js';
import { readDeadline } from '../protocol/request.deadline.js';
import { decodeRequest, foreseeDeadline } from '../protocol/request.decoder.js';
import { Rows } from '../protocol/rows.js';
import { Delivery } from '../rabbitmq/delivery.js';
import { ResultPublisher } from '../rabbitmq/result.publisher.js';
import { Suspicion } from '../rabbitmq/suspicion.js';
import { DeliveryQueue } from './delivery-queue.js';
import { FailureHandler } from './failure.handler.js';
import { asInferenceError, InferenceError } from './inference.errors.js';
import { InferenceService } from './inference.service.js';
import { ServedModel } from './served-model.js';

/** The life of a message, for up to `CONCURRENCY` messages at once. */
@Injectable()
export class InferencePipeline {
  private readonly deliveries = new DeliveryQueue();
  private readonly waitingForSlot = new DeadlineWatch<Delivery>((delivery, deadline) => {
    if (this.deliveries.remove(delivery))
      void this.failures.fail(
        delivery,
        deadlineExceeded(deadline, 'while it waited for its turn (CONCURRENCY)'),
      );
  });
  private readonly inPreprocessing = new DeadlineWatch<(error: Error) => void>((reject, deadline) =>
    reject(deadlineExceeded(deadline, 'in preprocessing')),
  );
  /** Deliveries that were taken from this worker while it was at them: their slots have been replaced. */
  private readonly abandoned = new Set<Delivery>();

  constructor(
    private readonly settings: Settings,
    private readonly preprocessor: Preprocessor,
    private readonly inference: InferenceService,
    private readonly results: ResultPublisher,
    private readonly failures: FailureHandler,
  ) {}

  /** Takes custody: from here on the delivery is settled by this class alone. */
  accept(delivery: Delivery): void {
    if (!this.deliveries.push(delivery)) return;
    const { message, receivedAt, suspicion } = delivery;
    // The body of a suspect is not read before its turn.
    const deadline =
      suspicion.crashes > 0
        ? readDeadline(message.properties, undefined, receivedAt)
        : foreseeDeadline(message, receivedAt);
    if (deadline !== undefined) this.waitingForSlot.begin(delivery, deadline);
  }

  /** Opens so many slots; what was accepted before waits for them. */
  open(concurrency: number): void {
    range(0, concurrency)
      .pipe(mergeMap(() => this.slot(), concurrency))
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
        void this.process(delivery, processNext);
      };
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

  /** A channel is gone, and the broker has again what had not begun: it will come once more, and is not kept twice. */
  forgetStale(): void {
    for (const delivery of this.deliveries.removeStale()) {
      this.waitingForSlot.end(delivery);
      delivery.drop();
    }
  }

  /**
   * Never rejects.
   *
   * @param onDone called with the delivery once its slot is free, and never within this call: of those that are over at
   *   once, as many as wait would nest. A promise to wait for would cost more.
   */
  private async process(delivery: Delivery, onDone: (delivery: Delivery) => void): Promise<void> {
    delivery.isBegun = true;
    if (delivery.isStale || this.results.isConfirmed(delivery)) {
      if (delivery.isStale) delivery.drop();
      else delivery.ack();
      await Promise.resolve();
      return onDone(delivery);
    }
    let { content } = delivery.message;
    let request: InferenceRequest | undefined;
    let model: ServedModel | undefined;
    let outliving: Promise<Rows> | undefined;
    try {
      if (delivery.suspicion.isConclusive) throw crashSuspect(delivery.suspicion);
      const reading = readContent(delivery.message, this.settings.MAX_MESSAGE_BYTES);
      if (reading !== content) content = await reading;
      request = decodeRequest(content, delivery.message, delivery.receivedAt);
      model = this.inference.model(request.model);
      let rows: Rows;
      model.enterPreparation();
      try {
        const preparing = this.preprocessor.prepare(request, model);
        if (request.deadline !== undefined) outliving = preparing; // only then: it keeps the rows until the answer is confirmed
        rows = await this.inTime(preparing, request.deadline);
      } catch (error) {
        throw asInferenceError(error, 'PREPROCESS_FAILED', 'preprocessing failed');
      } finally {
        model.leavePreparation();
      }
      const outputs = await this.inference.infer(model, rows, request.deadline);
      await this.results.publish(delivery, request.id, encodeResult(request, model, outputs));
      delivery.ack();
    } catch (error) {
      await this.failures.fail(delivery, error, { content, request, model: model?.name });
      await outliving?.catch(() => {}); // what outlives its deadline in preprocessing still takes up its slot
    }
    onDone(delivery);
  }

  /** What preprocessing gives, unless the deadline passes before. @throws InferenceError DEADLINE_EXCEEDED then */
  private inTime(preparing: Promise<Rows>, deadline: number | undefined): Promise<Rows> {
    if (deadline === undefined) return preparing;
    return new Promise<Rows>((resolve, reject) => {
      this.inPreprocessing.begin(reject, deadline);
      void preparing.then(resolve, reject).then(() => this.inPreprocessing.end(reject));
    });
  }
}

function crashSuspect({ crashes }: Suspicion): InferenceError {
  return new InferenceError(
    'CRASH_SUSPECT',
    `the worker crashed ${crashes} times with this request in hand, in the end with no other; have the request and the model examined before it is sent again`,
  );
}
