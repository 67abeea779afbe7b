/** `npm run bench`: sets up, measures step by step, reports, and leaves nothing behind. */
import { spawnSync } from 'node:child_process';
import { Broker } from '../../src/cli/broker.js';
import { findServer, installServer, startPrivateServer } from '../../src/cli/private-broker.js';
import { startProgress } from '../../src/cli/progress.js';
import { maskCredentials } from '../../src/config/settings.js';
import { CONTESTANTS, Contestant, HAND_WRITTEN, ONNXMQ, onNode } from './contestants.js';
import { Lab, openLab } from './lab.js';
import { BenchOptions, readOptions } from './options.js';
import { ALL_PEERS, buildPeers, PLAIN_PEERS } from './peers.js';
import { EFFORTS, Step } from './plan.js';
import { writeReport } from './report/write-report.js';
import { Results } from './results.js';
import { Rig } from './rig.js';
import { planOf, SMOKE_SUITES, SUITES } from './suites.js';
import { checkTargets, TARGET_SUITES } from './targets.js';
import { openWorkloads } from './workloads.js';

const contestantNames = [...CONTESTANTS.map(({ name }) => name), ...ALL_PEERS];
const options = readOptions([...Object.keys(SUITES), ...contestantNames]);
const say = (line: string) => process.stderr.write(`  ${line}\n`);

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());
const interrupted = new Promise<never>((_, reject) => {
  interrupt.signal.addEventListener('abort', () => reject(new Error('interrupted')));
});
interrupted.catch(() => {}); // also between the runs
/** What to undo, last first. */
const cleanups: (() => unknown)[] = [];
let exitCode = 1;

try {
  exitCode = await bench();
} catch (error) {
  exitCode = interrupt.signal.aborted ? 130 : 1;
  say(`bench: ${interrupt.signal.aborted ? 'interrupted' : maskCredentials((error as Error).message)}`);
} finally {
  for (const cleanup of cleanups.toReversed())
    await Promise.resolve()
      .then(cleanup)
      .catch((error: Error) => say(`cleaning up: ${error.message}`));
}
process.exit(exitCode); // what was interrupted may still wait for something

async function bench(): Promise<number> {
  const startedAt = new Date();
  const effortName = options.smoke ? 'smoke' : options.quick ? 'quick' : 'full';
  const effort = { ...EFFORTS[effortName], ...(options.rounds && { rounds: options.rounds }) };
  const wantedPeers = options.peers ? ALL_PEERS : options.assert ? PLAIN_PEERS : [];
  const peers = buildPeers(wantedPeers, say);
  const lab = openLab(say, options.node);
  cleanups.push(() => lab.close());
  const { against } = options;
  const contestants = against
    ? [
        ONNXMQ,
        {
          ...ONNXMQ,
          name: 'the other',
          about: `the build in ${against}, at ${commitOf(against)}`,
          folder: against,
        },
      ]
    : [...CONTESTANTS, ...(options.quick ? [] : onThisNode(lab)), ...peers];
  const broker = await startBroker(lab);
  cleanups.push(() => broker.stop());
  const workloads = await openWorkloads();
  cleanups.push(() => workloads.remove());
  const steps = chosen(planOf(contestants, workloads, effort, against !== undefined), options);
  for (const line of [lab.machine, `Node ${lab.node.version}, ${broker.description}`, ...lab.conditions])
    say(line);
  if (against) say(`beside ${contestants[1]?.about}`);

  const flags = options.prof ? ['--cpu-prof', `--cpu-prof-dir=${options.prof}`] : [];
  const { results, failures } = await run(steps, new Rig(lab, broker.url, interrupted, flags));
  const checks = checkTargets(results);
  for (const failure of failures) say(`failed: ${failure}`);
  if (options.smoke) {
    console.log(`${steps.length - failures.length} of ${steps.length} runs worked, every answer right`);
    return failures.length > 0 ? 1 : 0;
  }
  writeReport(options, results, {
    date: startedAt.toISOString(),
    machine: lab.machine,
    node: lab.node.version,
    harnessNode: process.version,
    broker: broker.description,
    conditions: lab.conditions,
    effort: effortName,
    rounds: effort.rounds,
    durationS: Math.round((Date.now() - startedAt.getTime()) / 1000),
    contestants: contestants.map(({ name, about }) => ({ name, about })),
    checks,
    failures,
  });
  // Go and Rust cannot be measured where their toolchains are not; all else can.
  const measurable = checks.filter(
    ({ verdict, name }) => verdict !== 'not measured' || !name.includes('Go and Rust'),
  );
  const isMissed = options.assert && measurable.some(({ verdict }) => verdict !== 'passed');
  return failures.length > 0 || isMissed ? 1 : 0;
}

function commitOf(folder: string): string {
  const { stdout } = spawnSync('git', ['-C', folder, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  return stdout?.trim() || 'no commit';
}

/** The Node that runs this, beside the contestants' own, where they differ. */
function onThisNode({ node }: Lab): Contestant[] {
  const major = (version: string) => version.split('.')[0];
  if (major(node.version) === major(process.version)) return [];
  const current = { path: process.execPath, version: process.version };
  return [ONNXMQ, HAND_WRITTEN].map((contestant) => onNode(contestant, current));
}

async function startBroker(lab: Lab): Promise<Broker> {
  if (!(await findServer())) await installServer(say, interrupt.signal);
  const server = await findServer();
  if (!server) throw new Error('put rabbitmq-server on the PATH, or run as root on Debian or Ubuntu');
  return startPrivateServer(lab.pinned([server], lab.brokerCpus, false), say, interrupt.signal);
}

function chosen(steps: Step[], { only, assert, smoke }: BenchOptions): Step[] {
  const suites = smoke ? SMOKE_SUITES : assert ? TARGET_SUITES : Object.keys(SUITES);
  const names = only ?? suites;
  return steps.filter(({ suite, subject }) => names.includes(suite) || names.includes(subject));
}

/** Runs each step; one that fails is noted, and the others go on. */
async function run(steps: readonly Step[], rig: Rig): Promise<{ results: Results; failures: string[] }> {
  const results = new Results();
  const failures: string[] = [];
  const progress = startProgress('bench', steps.length);
  try {
    for (const [index, step] of steps.entries()) {
      const { suite, subject, x, round } = step;
      const name = `${suite} ${subject} ${x}, round ${round + 1}`;
      progress.update(index, name);
      try {
        results.add({ suite, subject, x, round, figures: await step.measure(rig, results) });
      } catch (error) {
        interrupt.signal.throwIfAborted();
        failures.push(`${name}: ${(error as Error).message}`);
      }
    }
    progress.update(steps.length, '');
  } finally {
    progress.stop();
  }
  return { results, failures };
}
