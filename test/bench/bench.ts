import { readTestSet, PROJECT_FOLDER } from '../../src/cli/test-set.js';
import { findServer, startPrivateServer } from '../../src/cli/private-broker.js';
import { runBacklog } from './backlog-run.js';
import { ContestantProcess } from './contestant.process.js';
import { CONTESTANTS, environment } from './contestants.js';
import { openLab } from './lab.js';
import { Workload } from './workload.js';

const [names = 'hand-written,onnxmq', ios = '0,50', rounds = '2', count = '40000'] = process.argv.slice(2);
const lab = openLab(console.log);
console.log(lab.conditions, lab.node);
const broker = await startPrivateServer(
  lab.pinned([(await findServer()) ?? ''], lab.brokerCpus, false),
  console.log,
);
const workload = await Workload.open(`${PROJECT_FOLDER}models`, 'digits', readTestSet().images);
try {
  for (let round = 0; round < Number(rounds); round++)
    for (const io of ios.split(',').map(Number))
      for (const name of names.split(',')) {
        const contestant = CONTESTANTS.find((one) => one.name === name)!;
        const run = await runBacklog(
          broker.url,
          workload,
          contestant.isSequential && io > 0 ? 100 : contestant.isSequential ? 5000 : Number(count),
          (queues) => {
            const task = {
              url: broker.url,
              requestQueue: queues.requests,
              modelsDir: workload.modelsDir,
              model: 'digits',
              ioDelayMs: io,
            };
            return [
              new ContestantProcess(
                lab.pinned(contestant.command(lab), [lab.workerCpu!], true),
                environment(contestant, task),
              ),
            ];
          },
          contestant.answers,
        );
        console.log(
          `${name} io ${io}: ${run.perSecond.toFixed(0)} msg/s, ${run.cpuUsPerMessage.toFixed(1)} µs, batch ${run.meanBatch.toFixed(1)}, ${(run.peakRssBytes / 1e6).toFixed(0)} MB, ready ${run.readyMs.toFixed(0)} ms`,
        );
      }
} finally {
  await broker.stop();
  lab.close();
}
