import { setFlagsFromString } from 'node:v8';

// Imported first, before any code is hot. What each gave is in test/bench/docs/log.md.

// Messages wait for their I/O long enough for V8 to take them for objects that stay, and to allocate the next ones where
// only a full collection frees them: half as many CPU cycles again.
setFlagsFromString('--no-allocation-site-pretenuring');
// One optimising compiler is enough for a process that soon runs nothing but hot code, and 8 MB smaller.
setFlagsFromString('--no-maglev');
