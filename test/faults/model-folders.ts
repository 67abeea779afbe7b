import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_CONFIG } from '../../src/config/startup-error.js';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { writeOnnx } from '../support/onnx-writer.js';

const DIGITS = join(PROJECT_FOLDER, 'models/digits');
const DIGITS_FILE = join(DIGITS, 'model.onnx');
const WEIGHTS = Float32Array.of(1, 2);

/** A models folder in which something is odd. */
export interface ModelFolder {
  readonly oddity: string;
  /** Fills the folder of the model `digits`, which is there. */
  readonly fill: (folder: string) => void;
  /** How the worker refuses to start. `undefined`: it serves the model. */
  readonly refusal?: { readonly exitCode: number; readonly says: RegExp };
}

const NO_MODEL = { exitCode: EXIT_CONFIG, says: /MODELS_DIR: no model in "/ };
const NOT_SERVED = { exitCode: 1, says: /model 'digits' \(.*model\.onnx\) cannot be served: \S/ };

export const MODEL_FOLDERS: readonly ModelFolder[] = [
  { oddity: 'no model', fill: () => {}, refusal: NO_MODEL },
  { oddity: 'an empty model', fill: writing('model.onnx', () => ''), refusal: NOT_SERVED },
  {
    oddity: 'half a model',
    fill: writing('model.onnx', () => readFileSync(DIGITS_FILE).subarray(0, 19_000)),
    refusal: NOT_SERVED,
  },
  { oddity: 'a model of noise', fill: writing('model.onnx', () => Buffer.alloc(40_000, 'noise')), refusal: NOT_SERVED },
  { oddity: 'a folder as model', fill: (folder) => mkdirSync(join(folder, 'model.onnx')), refusal: NO_MODEL },
  { oddity: 'a link to nothing', fill: linking(join(DIGITS, 'none.onnx')), refusal: NO_MODEL },
  { oddity: 'a link to the model', fill: linking(DIGITS_FILE) },
  {
    oddity: 'a broken model.json',
    fill: (folder) => {
      cpSync(DIGITS_FILE, join(folder, 'model.onnx'));
      writeFileSync(join(folder, 'model.json'), '{"labels": [');
    },
    refusal: { exitCode: EXIT_CONFIG, says: /model\.json: not readable as JSON/ },
  },
  { oddity: 'weights in a file beside it', fill: withWeightsAt('weights.bin') },
  {
    oddity: 'weights in a file that is not there',
    fill: writing('model.onnx', () => externalModel('none.bin')),
    refusal: NOT_SERVED,
  },
  { oddity: 'weights in a file outside of its folder', fill: withWeightsAt('../weights.bin'), refusal: NOT_SERVED },
]; // prettier-ignore

function writing(name: string, content: () => string | Buffer): ModelFolder['fill'] {
  return (folder) => writeFileSync(join(folder, name), content());
}

function linking(target: string): ModelFolder['fill'] {
  return (folder) => symlinkSync(target, join(folder, 'model.onnx'));
}

/** The weights are there: only where they are may be in their way. */
function withWeightsAt(location: string): ModelFolder['fill'] {
  return (folder) => {
    writeFileSync(join(folder, location), Buffer.from(WEIGHTS.buffer));
    writeFileSync(join(folder, 'model.onnx'), externalModel(location));
  };
}

function externalModel(location: string): Buffer {
  return writeOnnx({
    inputs: [{ name: 'x', shape: ['batch', 2] }],
    outputs: [{ name: 'y', shape: ['batch', 2] }],
    nodes: [{ op: 'Mul', inputs: ['x', 'w'], outputs: ['y'] }],
    weights: [{ name: 'w', dims: [2], data: WEIGHTS, location }],
  });
}
