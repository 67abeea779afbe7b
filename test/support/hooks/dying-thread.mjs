// Loaded into a worker by NODE_OPTIONS=--import: once the file that DEATH_FILE names is there, its inference threads end.
import { existsSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (!isMainThread) setInterval(() => existsSync(process.env.DEATH_FILE) && process.exit(3), 20).unref();
