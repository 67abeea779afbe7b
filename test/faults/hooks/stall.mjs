// Loaded into a worker by NODE_OPTIONS=--import: upon SIGUSR2 its event loop stands still for STALL_MS.
process.on('SIGUSR2', () => {
  const end = performance.now() + Number(process.env.STALL_MS);
  while (performance.now() < end);
  process.stdout.write(`${JSON.stringify({ level: 'info', msg: 'the stall is over' })}\n`);
});
