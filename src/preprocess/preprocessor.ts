import { ModelFile } from '../models/model.repository.js';
import { InferenceRequest } from '../protocol/inference-request.js';
import { ModelSignature, Rows } from '../protocol/rows.js';

/** What preprocessing gets to know of the model. */
export interface PreprocessModel extends Pick<ModelFile, 'name' | 'config'> {
  readonly signature: ModelSignature;
}

/**
 * Turns a request into rows. Provide a class of your own for this token to fetch, decode or tokenize:
 *
 * ```ts
 * { provide: Preprocessor, useClass: ImagePreprocessor }
 * ```
 *
 * One image for a model with one input is `{ tensors: [pixels], dims: [[3, 224, 224]], first: 0, count: 1 }`, and `count` images
 * one after the other in `pixels` are that with their `count`.
 *
 * Tensors may be parts of memory that other requests share: never transfer their `buffer`, nor read it. The default one
 * takes the `input` out of the request when it has made its rows.
 *
 * It runs for up to `CONCURRENCY` requests at once. An `InferenceError` it throws decides the error code; any
 * other becomes `PREPROCESS_FAILED`.
 */
export abstract class Preprocessor {
  abstract prepare(request: InferenceRequest, model: PreprocessModel): Promise<Rows>;
}
