import { readFileSync } from 'node:fs';
import { V2Tensor } from './v2-tensors.js';

/** A folder of models whose first dimension is, or is not, a batch; its make_models.py says which is what. */
export const MIXING_MODELS_DIR = 'test/support/mixing-models';

/** Those whose rows give the same alone and in company. In all others they do not. */
export const BATCHABLE_MODELS = ['qdq', 'label-only', 'vocabulary', 'misnamed', 'fixed-label', 'text'];

/** A request, and what ONNX Runtime for Python gives for it alone. */
export interface Exchange {
  readonly inputs: readonly V2Tensor[];
  readonly outputs: readonly V2Tensor[];
}

/** By model. */
export function expectedExchanges(): Readonly<Record<string, readonly Exchange[]>> {
  return JSON.parse(readFileSync(`${MIXING_MODELS_DIR}/expected.json`, 'utf8')) as Record<string, Exchange[]>;
}
