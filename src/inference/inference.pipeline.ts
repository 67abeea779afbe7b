import { Injectable, Logger } from '@nestjs/common';
import { mergeMap, Subject } from 'rxjs';
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
import { dispositionOf } from './disposition.js';
import { asInferenceError } from './inference.errors.js';
import { InferenceService } from './inference.service.js';
import { ServedModel } from './served-model.js';

/** `mergeMap` searches its inner subscriptions at each end: 1 µs at 64, 12 at 2,000. */
const LANE_WIDTH = 64;
/** An id is the producer's, and may be as long as a body. */
const MAX_LOGGED_ID = 100;
const HAND_BACK_DELAY_MS = 5_000;

interface Lane {
  readonly deliveries: Subject<Delivery>;
  /** How many more it can process at once; below 0, how many wait. */
  room: number;
}

/** The life of a message, for up to `CONCURRENCY` messages at once. */
@Injectable()
export class InferencePipeline {
  private lanes: Lane[] | undefined;
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
    // Not before: the capacity is planned when the models are warm.
    const lanes = (this.lanes ??= laneWidths(this.capacity.concurrency).map((width) => this.openLane(width)));
    let roomiest = lanes[0] as Lane;
    for (const lane of lanes) if (lane.room > roomiest.room) roomiest = lane;
    roomiest.room--;
    roomiest.deliveries.next(delivery);
  }

  /** Never rejects: a rejection would end its lane. */
  private async process(delivery: Delivery): Promise<void> {
    let { content } = delivery.message;
    let model: ServedModel | undefined;
    try {
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

  private async prepare(request: InferenceRequest, model: ServedModel): Promise<Row[]> {
    model.preparing++;
    try {
      return await this.preprocessor.prepare(request, model);
    } catch (error) {
      throw asInferenceError(error, 'PREPROCESS_FAILED', 'preprocessing failed');
    } finally {
      model.preparing--;
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

  private openLane(width: number): Lane {
    const lane: Lane = { deliveries: new Subject<Delivery>(), room: width };
    // mergeMap queues without limit what is over its bound; the prefetch is what limits that queue.
    lane.deliveries.pipe(mergeMap((delivery) => this.process(delivery), width)).subscribe(() => lane.room++);
    return lane;
  }
}

/** 150 → 50, 50, 50: lanes of at most 64 whose widths add up to the concurrency. */
function laneWidths(concurrency: number): number[] {
  const count = Math.ceil(concurrency / LANE_WIDTH);
  return Array.from({ length: count }, (_, lane) => Math.floor((concurrency + lane) / count));
}
