import { setFlagsFromString } from 'node:v8';

// Imported first, before any code is hot. What each gave is in test/bench/docs/log.md.

// Messages wait for their I/O long enough for V8 to take them for objects that stay, and to allocate the next ones where
// only a full collection frees them: half as many CPU cycles again.
setFlagsFromString('--no-allocation-site-pretenuring');
// One optimising compiler is enough for a process that soon runs nothing but hot code, and 8 MB smaller.
setFlagsFromString('--no-maglev');
// By default V8 collects all garbage whenever 64 MB of buffers have come in, however small its heap is: with bodies of some
// hundred KB, several times a second. So buffers count as the heap does, by how much they have grown since. Node 20 has no
// such flag, and would say so on stderr.
if (Number.parseInt(process.versions.node) >= 24)
  setFlagsFromString('--external-memory-accounted-in-global-limit');
