// Loaded into a worker by NODE_OPTIONS=--import: each SIGUSR2 moves the wall clock, first one way, then the other.
const HOUR_MS = 3_600_000;
const { now } = Date;
let offsetMs = 0;
Date.now = () => now() + offsetMs;
process.on('SIGUSR2', () => {
  offsetMs = offsetMs === HOUR_MS ? -HOUR_MS : HOUR_MS;
  process.stdout.write(`${JSON.stringify({ level: 'info', msg: `the clock is off by ${offsetMs} ms` })}\n`);
});
