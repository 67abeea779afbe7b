import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The project's folder, from wherever in it this file is built to; ends with a slash. */
export const PROJECT_FOLDER = folderOfPackage(new URL('.', import.meta.url));

/** Labelled images that the model has never seen. */
export interface TestSet {
  /** 8×8 pixels from 0 to 16, row by row. */
  readonly images: readonly (readonly number[])[];
  readonly labels: readonly number[];
}

/** The held-out quarter of the handwritten digits. */
export function readTestSet(): TestSet {
  return JSON.parse(readFileSync(`${PROJECT_FOLDER}models/digits/test-set.json`, 'utf8')) as TestSet;
}

function folderOfPackage(folder: URL): string {
  if (existsSync(new URL('package.json', folder))) return fileURLToPath(folder);
  return folderOfPackage(new URL('..', folder));
}
