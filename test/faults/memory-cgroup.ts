import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** What a control group of either version calls its files. */
interface CgroupFiles {
  readonly limit: string;
  /** Limits swap, or memory and swap. Not everywhere. */
  readonly swap: string;
  readonly peak: string;
  /** Has a line `oom_kill <count>`. */
  readonly events: string;
}

const V1: CgroupFiles = {
  limit: 'memory.limit_in_bytes',
  swap: 'memory.memsw.limit_in_bytes',
  peak: 'memory.max_usage_in_bytes',
  events: 'memory.oom_control',
};
const V2: CgroupFiles = {
  limit: 'memory.max',
  swap: 'memory.swap.max',
  peak: 'memory.peak',
  events: 'memory.events',
};

/** A limit to the memory of processes, as a container has it (Linux control groups, for root). */
export class MemoryCgroup {
  private constructor(
    private readonly folder: string,
    private readonly files: CgroupFiles,
    private readonly limitBytes: number,
  ) {}

  /** @throws Error where there are no control groups for memory, or they may not be changed */
  static open(limitBytes: number): MemoryCgroup {
    const isV2 = existsSync(join(ROOT, 'cgroup.controllers'));
    if (isV2) writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+memory');
    const files = isV2 ? V2 : V1;
    const folder = join(ROOT, isV2 ? '' : 'memory', `onnxmq-lab-${process.pid}-${Date.now()}`);
    mkdirSync(folder);
    const cgroup = new MemoryCgroup(folder, files, limitBytes);
    try {
      writeFileSync(join(folder, files.limit), String(limitBytes));
      if (existsSync(join(folder, files.swap)))
        writeFileSync(join(folder, files.swap), isV2 ? '0' : String(limitBytes));
    } catch (error) {
      cgroup.remove();
      throw error;
    }
    return cgroup;
  }

  /** Why there can be none here; `undefined` where there can. */
  static get obstacle(): string | undefined {
    try {
      MemoryCgroup.open(512 * 1024 * 1024).remove();
      return undefined;
    } catch (error) {
      return `control groups cannot be used here: ${(error as Error).message}`;
    }
  }

  /** The command that starts another one, which follows, within the limit. */
  get entry(): readonly string[] {
    return ['/bin/sh', '-c', `echo $$ > ${this.folder}/cgroup.procs && exec "$@"`, 'sh'];
  }

  /** The most memory that its processes ever had at once, in MB; the file cache included, which may be taken away. */
  get peakMb(): number {
    return Number(this.read(this.files.peak)) / 1024 / 1024;
  }

  /** What was left of the limit at the peak. */
  get headroomPercent(): number {
    return 100 * (1 - (this.peakMb * 1024 * 1024) / this.limitBytes);
  }

  /** Processes that were killed for want of memory. */
  get oomKills(): number {
    return Number(/^oom_kill (\d+)/m.exec(this.read(this.files.events))?.[1]);
  }

  /** Its processes have ended. */
  remove(): void {
    rmdirSync(this.folder);
  }

  private read(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8');
  }
}
