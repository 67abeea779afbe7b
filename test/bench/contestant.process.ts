import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';

/** Linux counts processor time in these units, in every configuration that is built. */
const TICKS_PER_SECOND = 100;

/** A contestant at work, in a process of its own. */
export class ContestantProcess {
  readonly startedAt = performance.now();
  /** From start to consuming, in ms. */
  readyMs = NaN;
  /** Batches that it ran and rows in them, as it says at its end. */
  batches = 0;
  rows = 0;
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;
  private readonly lines: string[] = [];
  private errors = '';
  private onReady: () => void = () => {};

  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    const [file = '', ...args] = command;
    this.child = spawn(file, args, {
      cwd: PROJECT_FOLDER,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // Ctrl-C is for the parent
    });
    this.exited = once(this.child, 'close');
    this.child.stderr?.on('data', (chunk) => process.env['BENCH_ERR'] && process.stderr.write(chunk));
    this.child.stderr?.on('data', (chunk) => (this.errors = (this.errors + String(chunk)).slice(-2000)));
    if (this.child.stdout) createInterface(this.child.stdout).on('line', (line) => this.onLine(line));
  }

  /** Resolves when it consumes. */
  async consuming(timeoutMs = 60_000): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => (this.onReady = resolve)),
      this.ended(),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`it does not consume after ${timeoutMs} ms`)), timeoutMs);
      }),
    ]).finally(() => clearTimeout(timer));
  }

  /** Rejects when it ends by itself. */
  async ended(): Promise<never> {
    await this.exited;
    throw new Error(`it ended: ${this.errors || this.lines.at(-1)}`);
  }

  /** User and system time since its start, of all its threads, in µs. */
  get cpuUs(): number {
    // The command's name, in brackets, may hold spaces.
    const fields = this.proc('stat').split(') ')[1]?.split(' ') ?? [];
    return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
  }

  /** Largest resident set so far, in bytes. */
  get peakRssBytes(): number {
    return Number(/^VmHWM:\s*(\d+) kB/m.exec(this.proc('status'))?.[1]) * 1024;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 30_000);
    await this.exited;
    clearTimeout(timer);
  }

  private proc(file: string): string {
    return readFileSync(`/proc/${this.child.pid}/${file}`, 'utf8');
  }

  private onLine(line: string): void {
    if (process.env['BENCH_PROF']?.includes('trace') && / ms: /.test(line)) process.stderr.write(line + '\n');
    this.lines.push(line);
    if (/^consuming|"consuming from/.test(line)) {
      this.readyMs = performance.now() - this.startedAt;
      this.onReady();
    }
    if (!line.includes('"batches":')) return;
    const { batches, rows } = JSON.parse(line) as { batches: number; rows: number };
    this.batches += batches;
    this.rows += rows;
  }
}
