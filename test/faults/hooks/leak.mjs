// Loaded into a worker by NODE_OPTIONS=--import: upon SIGUSR2 it takes memory until it is killed for that.
const STEP_BYTES = 32 * 1024 * 1024;
const leaked = [];
process.on('SIGUSR2', () => {
  for (;;) leaked.push(Buffer.alloc(STEP_BYTES, 1));
});
