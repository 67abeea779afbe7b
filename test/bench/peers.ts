import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { Contestant, peerContestant } from './contestants.js';
import { CACHE_FOLDER } from './lab.js';

const TUNED = { TUNED: '1' };

interface Peer {
  readonly folder: string;
  /** What has to be there to build it. */
  readonly toolchain: readonly string[];
  /** Each a command and its arguments, run in the folder. */
  readonly build: readonly (readonly string[])[];
  readonly contestants: readonly Contestant[];
}

/**
 * Builds the contestants in other languages, which is quick where nothing has changed since the last time.
 *
 * @param names those wanted
 * @param say told what is built, and which are left out because a toolchain is missing
 */
export function buildPeers(names: readonly string[], say: (line: string) => void): Contestant[] {
  mkdirSync(CACHE_FOLDER, { recursive: true });
  return peers().flatMap((peer) => {
    const wanted = peer.contestants.filter(({ name }) => names.includes(name));
    if (wanted.length === 0) return [];
    const called = wanted.map(({ name }) => name).join(', ');
    try {
      say(`building ${called}`);
      for (const command of peer.toolchain) execFileSync('which', [command], { stdio: 'ignore' });
    } catch {
      say(`left out: ${called}; ${peer.toolchain.join(' and ')} are needed to build`);
      return [];
    }
    try {
      const cwd = join(PROJECT_FOLDER, 'test/bench/peers', peer.folder);
      for (const [file = '', ...args] of peer.build) execFileSync(file, args, { cwd, stdio: 'pipe' });
      return wanted;
    } catch (error) {
      const { stderr } = error as { stderr?: Buffer };
      say(
        `left out: ${called}; the build failed: ${stderr?.toString().trim().split('\n').slice(-3).join(' | ')}`,
      );
      return [];
    }
  });
}

/** Go and Rust written plainly: those that have a target. */
export const PLAIN_PEERS = ['go', 'rust'];
export const ALL_PEERS = ['python-original', 'python-asyncio', 'go', 'go-tuned', 'rust', 'rust-tuned'];

function peers(): Peer[] {
  const venv = join(CACHE_FOLDER, 'python');
  const go = join(CACHE_FOLDER, 'go-peer');
  const rust = join(CACHE_FOLDER, 'rust-target');
  const python = (file: string) => [
    join(venv, 'bin/python'),
    join(PROJECT_FOLDER, 'test/bench/peers/python', file),
  ];
  return [
    {
      folder: 'python',
      toolchain: ['python3'],
      build: [
        ...(existsSync(join(venv, 'bin/pip')) ? [] : [['python3', '-m', 'venv', venv]]),
        [join(venv, 'bin/pip'), 'install', '--quiet', '-r', 'requirements.txt'],
      ],
      contestants: [
        peerContestant(
          'python-original',
          'Python, pika: the way it was, one message at a time',
          python('original.py'),
          {
            isSequential: true,
          },
        ),
        peerContestant(
          'python-asyncio',
          'Python, aio-pika on uvloop, batches',
          python('asyncio_batched.py'),
          {
            share: 0.2,
          },
        ),
      ],
    },
    {
      folder: 'go',
      toolchain: ['go', 'cc'],
      build: [['go', 'build', '-o', go, '.']],
      contestants: [
        peerContestant('go', 'Go, amqp091-go and onnxruntime_go, as on a first careful go', [go]),
        peerContestant('go-tuned', 'the same made fast', [go], { env: TUNED }),
      ],
    },
    {
      folder: 'rust',
      toolchain: ['cargo', 'cc'],
      build: [['cargo', 'build', '--release', '--quiet', '--target-dir', rust]],
      contestants: [
        peerContestant('rust', 'Rust, lapin and ort on tokio, as on a first careful go', [
          join(rust, 'release/peer'),
        ]),
        peerContestant('rust-tuned', 'the same made fast', [join(rust, 'release/peer')], { env: TUNED }),
      ],
    },
  ];
}
