import { ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';

/** Linux counts processor time in these units, in every configuration that is built. */
const TICKS_PER_SECOND = 100;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

/** What a contestant said in JSON: a line of the product's log, or a last word on its work. */
export type Said = Readonly<Record<string, unknown>>;

/** A contestant at work, in a process of its own. */
export class ContestantProcess {
  /** From start to consuming, in ms. */
  readyMs = NaN;
  readonly said: Said[] = [];
  private readonly startedAt = performance.now();
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;
  private lastLine = '';
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
    this.exited = new Promise((resolve) => {
      this.child.on('close', resolve);
      this.child.on('error', ({ message }) => resolve((this.errors = message)));
    });
    this.child.stderr?.on('data', (chunk) => (this.errors = (this.errors + String(chunk)).slice(-2000)));
    if (this.child.stdout) createInterface(this.child.stdout).on('line', (line) => this.onLine(line));
  }

  /** Resolves when it consumes. */
  async consuming(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => (this.onReady = resolve)),
      this.ended(),
      new Promise((_, reject) => {
        const late = () => reject(new Error(`it does not consume after ${START_TIMEOUT_MS} ms`));
        timer = setTimeout(late, START_TIMEOUT_MS);
      }),
    ]).finally(() => clearTimeout(timer));
  }

  /** Rejects when it ends by itself. */
  async ended(): Promise<never> {
    await this.exited;
    throw new Error(`it ended: ${this.errors || this.lastLine}`);
  }

  /** Resolves when it has ended, as one does that is not stopped. */
  async end(): Promise<void> {
    await this.exited;
    if (this.child.exitCode !== 0) await this.ended();
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

  /** What it said under a name, added up: `batches` that it ran, `rows` in them. */
  total(name: string): number {
    return this.said.reduce((total, line) => total + Number(line[name] ?? 0), 0);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.exited;
    clearTimeout(timer);
  }

  private proc(file: string): string {
    try {
      return readFileSync(`/proc/${this.child.pid}/${file}`, 'utf8');
    } catch {
      return ''; // it has ended, of which `ended` tells
    }
  }

  private onLine(line: string): void {
    this.lastLine = line;
    if (/^consuming|"consuming from/.test(line)) {
      this.readyMs = performance.now() - this.startedAt;
      this.onReady();
    }
    if (!line.startsWith('{')) return;
    try {
      this.said.push(JSON.parse(line) as Said);
    } catch {
      // A line that only looks like JSON.
    }
  }
}
