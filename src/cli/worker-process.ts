import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PROJECT_FOLDER } from './test-set.js';

/** A line of the worker's log. */
export interface LogLine {
  readonly level: string;
  readonly context?: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A worker in a process of its own: the built `dist/main.js`, as in production. */
export class WorkerProcess {
  readonly logs: LogLine[] = [];
  /** What it wrote to stderr. */
  errors = '';
  private readonly child: ChildProcess;
  private readonly exited: Promise<number | null>;
  private readonly watchers = new Set<(line: LogLine) => void>();

  /**
   * @param env settings, beside those of this process
   * @param entry a command that starts the one that follows it
   */
  constructor(env: Readonly<Record<string, string>>, entry: readonly string[] = []) {
    const [command, ...args] = [...entry, process.execPath, 'dist/main.js'];
    this.child = spawn(command, args, {
      cwd: PROJECT_FOLDER,
      env: {
        ...process.env,
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: '0',
        LOG_FORMAT: 'json',
        LOG_LEVEL: 'info',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // Ctrl-C is for the parent, which then stops the worker in order
    });
    this.exited = once(this.child, 'close').then(([code]) => code as number | null);
    this.child.stderr?.on('data', (chunk) => (this.errors += String(chunk)));
    if (this.child.stdout) createInterface(this.child.stdout).on('line', (line) => this.onLine(line));
  }

  get pid(): number {
    return this.child.pid ?? NaN;
  }

  /** Resolves with the first log line, past or future, that matches; rejects when the worker ends before. */
  async log(matches: (line: LogLine) => boolean): Promise<LogLine> {
    const past = this.logs.find(matches);
    if (past) return past;
    let watcher: (line: LogLine) => void = () => {};
    const future = new Promise<LogLine>((resolve) => {
      watcher = (line) => matches(line) && resolve(line);
      this.watchers.add(watcher);
    });
    const ended = this.exited.then((code) => {
      throw new Error(`the worker ended with exit code ${code}: ${this.errors || this.logs.at(-1)?.msg}`);
    });
    return Promise.race([future, ended]).finally(() => this.watchers.delete(watcher));
  }

  /** Resolves when the worker consumes. */
  async consuming(): Promise<void> {
    await this.log(({ msg }) => msg.startsWith('consuming from'));
  }

  /** Where its probes are. */
  async httpUrl(): Promise<string> {
    const line = await this.log(({ port }) => typeof port === 'number');
    return `http://127.0.0.1:${String(line['port'])}`;
  }

  /** @returns the exit code once it has ended; null when a signal ended it */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }

  /** Resolves with the exit code when the worker ends by itself. */
  ended(): Promise<number | null> {
    return this.exited;
  }

  private onLine(line: string): void {
    let entry: LogLine;
    try {
      entry = JSON.parse(line) as LogLine;
    } catch {
      entry = { level: 'info', msg: line };
    }
    this.logs.push(entry);
    for (const watcher of this.watchers) watcher(entry);
  }
}
