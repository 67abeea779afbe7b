import cliProgress from 'cli-progress';

/** Says how far something is: a bar on a terminal, a plain line every quarter elsewhere. Writes to stderr. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

export function startProgress(label: string, total: number): Progress {
  return process.stderr.isTTY ? bar(label, total) : plainLines(label, total);
}

function bar(label: string, total: number): Progress {
  const single = new cliProgress.SingleBar({
    format: `  ${label} {bar} {value}/{total}  {duration_formatted}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    gracefulExit: false, // its handler would keep Ctrl-C from ending the process
    stream: process.stderr,
  });
  single.start(total, 0);
  return {
    update: (done) => single.update(done),
    stop: () => single.stop(),
  };
}

function plainLines(label: string, total: number): Progress {
  let nextQuarter = 1;
  return {
    update(done) {
      while (nextQuarter <= 4 && done >= (total * nextQuarter) / 4) {
        process.stderr.write(`  ${label} ${Math.ceil((total * nextQuarter) / 4)}/${total}\n`);
        nextQuarter++;
      }
    },
    stop() {},
  };
}
