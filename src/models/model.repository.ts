import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { InferenceError } from '../inference/inference.errors.js';
import { ModelConfig, modelConfigSchema } from './model-config.js';

/** A model as it lies on disk, before it is loaded. */
export interface ModelFile {
  readonly name: string;
  readonly version: string;
  /** Path of `model.onnx`. */
  readonly path: string;
  readonly config: ModelConfig;
}

/** The models in `MODELS_DIR`, found once at start. */
export class ModelRepository {
  private constructor(
    private readonly byName: ReadonlyMap<string, ModelFile>,
    private readonly defaultName: string | undefined,
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
    const names = readdirSync(folder).filter((name) => !name.startsWith('.') && isFolder(join(folder, name)));
    const models = new Map<string, ModelFile>();
    const problems: string[] = [];
    for (const name of names.toSorted()) {
      const file = findModelFile(join(folder, name));
      if (!file) continue;
      const config = readConfig(join(folder, name, 'model.json'), problems);
      models.set(name, { name, ...file, config });
    }
    if (models.size === 0)
      problems.push(`MODELS_DIR: no model in ${JSON.stringify(folder)}; put one at <name>/model.onnx`);
    if (defaultModel && !models.has(defaultModel))
      problems.push(
        `DEFAULT_MODEL: there is no model ${JSON.stringify(defaultModel)} in ${JSON.stringify(folder)}`,
      );
    if (problems.length > 0) throw new StartupError(problems.join('\n'), EXIT_CONFIG);
    const onlyModel = models.size === 1 ? [...models.keys()][0] : undefined;
    return new ModelRepository(models, defaultModel ?? onlyModel ?? 'digits');
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

/** Also by way of a link, as Kubernetes mounts volumes. */
function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function findModelFile(folder: string): Pick<ModelFile, 'path' | 'version'> | undefined {
  const versions = readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => /^[1-9]\d*$/.test(name) && existsSync(join(folder, name, 'model.onnx')))
    .map(({ name }) => Number(name));
  if (versions.length > 0) {
    const version = String(Math.max(...versions));
    return { path: join(folder, version, 'model.onnx'), version };
  }
  const path = join(folder, 'model.onnx');
  return existsSync(path) ? { path, version: '1' } : undefined;
}

function readConfig(path: string, problems: string[]): ModelConfig {
  let json: unknown = {};
  try {
    if (existsSync(path)) json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    problems.push(`${path}: not readable as JSON (${(error as Error).message})`);
  }
  const parsed = modelConfigSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues)
    problems.push(`${path}: ${issue.path.join('.') || 'top level'}: ${issue.message}`);
  return modelConfigSchema.parse({});
}
