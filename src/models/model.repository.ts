import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { InferenceError } from '../inference/inference.errors.js';
import { ModelConfig, modelConfigSchema } from './model-config.js';
import { findModels, FoundModel, isFolder } from './model-folders.js';

/** A model as it lies on disk, before it is loaded. */
export interface ModelFile extends FoundModel {
  readonly config: ModelConfig;
}

/** The models in `MODELS_DIR`, found once at start. */
export class ModelRepository {
  private constructor(
    private readonly byName: ReadonlyMap<string, ModelFile>,
    private readonly defaultName: string | undefined,
    /** One line for each file or folder that seems to be meant as a model and is not served. */
    readonly passedOver: readonly string[],
  ) {}

  /**
   * Reads the folder: `<name>/model.onnx` or `<name>/<version>/model.onnx` (the highest number), each with an
   * optional `<name>/model.json`.
   *
   * @throws StartupError when the folder, a `model.json` or the default model is wrong, one line for each problem
   */
  static open(folder: string, defaultModel?: string): ModelRepository {
    if (!isFolder(folder))
      throw new StartupError(`MODELS_DIR: there is no folder ${JSON.stringify(folder)}`, EXIT_CONFIG);
    const { models: found, passedOver } = findModels(folder);
    const problems: string[] = [];
    const models = new Map<string, ModelFile>();
    for (const file of found) {
      const config = readConfig(join(folder, file.name, 'model.json'), problems);
      models.set(file.name, { ...file, config });
    }
    const isEmpty = models.size === 0;
    const lacksDefault = defaultModel && !models.has(defaultModel);
    if (isEmpty)
      problems.push(`MODELS_DIR: no model in ${JSON.stringify(folder)}; put one at <name>/model.onnx`);
    if (lacksDefault)
      problems.push(
        `DEFAULT_MODEL: there is no model ${JSON.stringify(defaultModel)} in ${JSON.stringify(folder)}`,
      );
    if (isEmpty || lacksDefault) problems.push(...passedOver.map((line) => `MODELS_DIR: ${line}`));
    if (problems.length > 0) throw new StartupError(problems.join('\n'), EXIT_CONFIG);
    const onlyModel = models.size === 1 ? [...models.keys()][0] : undefined;
    return new ModelRepository(models, defaultModel ?? onlyModel ?? 'digits', passedOver);
  }

  get all(): readonly ModelFile[] {
    return [...this.byName.values()];
  }

  /** @throws InferenceError UNKNOWN_MODEL */
  resolve(name: string | undefined): ModelFile {
    const model = this.byName.get(name ?? this.defaultName ?? '');
    if (model) return model;
    const served = [...this.byName.keys()].join(', ');
    throw new InferenceError(
      'UNKNOWN_MODEL',
      name === undefined
        ? `the request names no model and there is no default model; the models are ${served}`
        : `there is no model ${JSON.stringify(name.slice(0, 100))}; the models are ${served}`,
    );
  }
}

/** Reads over a byte order mark, and refuses bytes that are no UTF-8. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

function readConfig(path: string, problems: string[]): ModelConfig {
  let json: unknown = {};
  try {
    // `lstat`: a link that leads nowhere is no missing file, and without its preprocessing answers would be wrong.
    if (lstatSync(path, { throwIfNoEntry: false })) json = JSON.parse(UTF8.decode(readFileSync(path)));
  } catch (error) {
    problems.push(`${path}: not readable as JSON (${(error as Error).message})`);
  }
  const parsed = modelConfigSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues)
    problems.push(`${path}: ${issue.path.join('.') || 'top level'}: ${issue.message}`);
  return modelConfigSchema.parse({});
}
