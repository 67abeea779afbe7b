import { fault } from './fault.js';

fault(1, 'the worker is killed', {
  endsWorker: true,
  inject: (lab) => lab.worker.stop('SIGKILL'),
  heal: async (lab) => (await lab.supervisor.started(2)).consuming(),
});

fault(4, 'the worker gets SIGTERM', {
  endsWorker: true,
  breaks: 0,
  inject: async (lab) => {
    const askedAt = performance.now();
    lab.expect((await lab.worker.stop('SIGTERM')) === 0, 'it ends with exit code 0');
    lab.figures['drain ms'] = performance.now() - askedAt;
  },
  heal: async (lab) => (await lab.supervisor.started(2)).consuming(),
});
