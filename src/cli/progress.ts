import cliProgress from 'cli-progress';

/** Says how far something is: a bar on a terminal, a plain line every quarter elsewhere. Writes to stderr. */
export interface Progress {
  /** @param note what is at work; given one, a plain line is written each time */
  update(done: number, note?: string): void;
  stop(): void;
}

export function startProgress(label: string, total: number): Progress {
  return process.stderr.isTTY ? bar(label, total) : plainLines(label, total);
}

function bar(label: string, total: number): Progress {
  const single = new cliProgress.SingleBar({
    format: `  ${label} {bar} {value}/{total}  {duration_formatted}  {note}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    gracefulExit: false, // its handler would keep Ctrl-C from ending the process
    stream: process.stderr,
  });
  single.start(total, 0, { note: '' });
  return {
    update: (done, note = '') => single.update(done, { note }),
    stop: () => single.stop(),
  };
}

function plainLines(label: string, total: number): Progress {
  let nextQuarter = 1;
  return {
    update(done, note) {
      if (note !== undefined) {
        process.stderr.write(`  ${label} ${done}/${total}  ${note}\n`);
        return;
      }
      while (nextQuarter <= 4 && done >= (total * nextQuarter) / 4) {
        process.stderr.write(`  ${label} ${Math.ceil((total * nextQuarter) / 4)}/${total}\n`);
        nextQuarter++;
      }
    },
    stop() {},
  };
}
