import { PROJECT_FOLDER } from '../../../src/cli/test-set.js';

/** Settings that load something into a worker: what it does says its file. */
export const HOOKS = {
  clockJump: hook('clock-jump'),
  leak: hook('leak'),
  stall: hook('stall'),
} as const;

function hook(name: string): Readonly<Record<string, string>> {
  const url = new URL(`test/faults/hooks/${name}.mjs`, `file://${PROJECT_FOLDER}`);
  return { NODE_OPTIONS: `--import=${url.href}` };
}
