import { readdirSync, Stats, statSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';

/** Where a model lies in `MODELS_DIR`. */
export interface FoundModel {
  readonly name: string;
  readonly version: string;
  /** Path of `model.onnx`. */
  readonly path: string;
}

const MODEL_FILE = 'model.onnx';
const CONFIG_FILE = 'model.json';
const LEADS_NOWHERE = 'it cannot be opened, or is a link that leads nowhere';
const VERSION = /^[1-9]\d*$/;
/** Levels of a model's folder in which it looks for model files that are in the wrong place. */
const MAX_DEPTH = 3;

/**
 * Looks for models at `<name>/model.onnx` and `<name>/<version>/model.onnx`. Hidden folders are left alone, such as
 * `..data`, by which Kubernetes mounts a volume.
 *
 * @returns the models, and one line for each file or folder that seems to be meant as a model and is not served: what to change
 */
export function findModels(root: string): { models: FoundModel[]; passedOver: string[] } {
  const models: FoundModel[] = [];
  const passedOver: string[] = [];
  for (const name of visibleIn(root, passedOver) ?? []) {
    const path = join(root, name);
    if (isFolder(path)) {
      const model = findModel(path, passedOver);
      if (model) models.push({ name, ...model });
    } else if (isModelFile(name)) {
      const own = name.toLowerCase() === MODEL_FILE ? '<name>' : name.slice(0, -'.onnx'.length);
      passedOver.push(
        `${quote(path)} is not served: a model has a folder of its own; move it to ${own}/${MODEL_FILE}`,
      );
    } else if (!statOf(path)) passedOver.push(`${quote(path)} is not served: ${LEADS_NOWHERE}`);
  }
  return { models, passedOver };
}

function findModel(folder: string, passedOver: string[]): Omit<FoundModel, 'name'> | undefined {
  const entries = visibleIn(folder, passedOver);
  if (!entries) return undefined;
  const numbered = entries.filter((name) => VERSION.test(name));
  const versions = numbered.filter((name) => isFolder(join(folder, name)));
  const served = versions.filter((version) => isFile(join(folder, version, MODEL_FILE)));
  const [latest] = served.toSorted((a, b) => (BigInt(a) < BigInt(b) ? 1 : -1));
  const plain = join(folder, MODEL_FILE);
  if (latest && isFile(plain))
    passedOver.push(
      `${quote(plain)} is not served: folders of versions come first, and version ${latest} is served; delete one of them`,
    );

  const inPlace = new Set(
    [plain, ...served.map((version) => join(folder, version, MODEL_FILE))].filter(isFile),
  );
  const files = filesBelow(folder, MAX_DEPTH);
  const models = files.filter((path) => isModelFile(path));
  for (const path of models) if (!inPlace.has(path)) passedOver.push(whyNotServed(folder, path));
  for (const version of versions)
    if (!models.some((path) => path.startsWith(join(folder, version) + sep)))
      passedOver.push(`${quote(join(folder, version))} is not served: it holds no ${MODEL_FILE}`);
  for (const name of numbered)
    if (!versions.includes(name))
      passedOver.push(
        `${quote(join(folder, name))} is not served: it is no folder, or a link that leads nowhere`,
      );
  for (const path of files)
    if (basename(path).toLowerCase() === CONFIG_FILE && path !== join(folder, CONFIG_FILE))
      passedOver.push(`${quote(path)} is not read: it lies at <name>/${CONFIG_FILE}; move it there`);

  if (latest) return { version: latest, path: join(folder, latest, MODEL_FILE) };
  if (isFile(plain)) return { version: '1', path: plain };
  if (entries.length === 0 || (models.length === 0 && entries.includes(CONFIG_FILE)))
    passedOver.push(`${quote(folder)} is not served: it holds no ${MODEL_FILE}`);
  return undefined;
}

function whyNotServed(folder: string, path: string): string {
  const [file = '', ...above] = relative(folder, path).split(sep).toReversed();
  const [version] = above;
  const reasons: string[] = [];
  if (above.length > 1)
    reasons.push(`a model lies at <name>/${MODEL_FILE} or <name>/<version>/${MODEL_FILE}; move it there`);
  else if (version !== undefined && !VERSION.test(version))
    reasons.push(
      `a version is a whole number from 1 without leading zeros; rename the folder ${quote(version)}`,
    );
  if (file !== MODEL_FILE) reasons.push(`the file must be called ${MODEL_FILE}; rename it`);
  if (reasons.length === 0) reasons.push('it is no file, cannot be opened, or is a link that leads nowhere');
  return `${quote(path)} is not served: ${reasons.join(', and ')}`;
}

/** All that is no folder, or has the name of a model file nevertheless. */
function filesBelow(folder: string, depth: number): string[] {
  return (visibleIn(folder, []) ?? []).flatMap((name) => {
    const path = join(folder, name);
    if (!isFolder(path)) return [path];
    const below = depth > 1 ? filesBelow(path, depth - 1) : [];
    return isModelFile(name) ? [path, ...below] : below;
  });
}

function visibleIn(folder: string, passedOver: string[]): string[] | undefined {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .toSorted();
  } catch (error) {
    passedOver.push(
      `${quote(folder)} is not served: it cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
    return undefined;
  }
}

function isModelFile(path: string): boolean {
  return path.toLowerCase().endsWith('.onnx');
}

export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() ?? false;
}

/**
 * Of what a link leads to, as Kubernetes mounts volumes. Undefined also for a link that leads to itself, and in a folder that
 * this user may not enter: one such entry must not keep the others from being served.
 */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function quote(path: string): string {
  return JSON.stringify(path);
}
