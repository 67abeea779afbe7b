import { untilProbe } from '../support/probes.js';
import { fault } from './fault.js';

fault(7, 'the broker closes all connections', {
  readiness: 'drops',
  inject: (lab) => lab.broker.closeAllConnections('test'),
});

fault(8, 'the broker restarts', {
  readiness: 'drops',
  inject: (lab) => lab.broker.stopApp(),
  heal: (lab) => lab.broker.startApp(),
});

fault(9, 'the broker is killed', {
  readiness: 'drops',
  inject: (lab) => lab.broker.kill(),
  heal: (lab) => lab.broker.start(),
});

fault(14, 'the broker is short of memory', {
  readiness: 'drops',
  breaks: 0,
  inject: async (lab) => {
    await lab.broker.startMemoryAlarm();
    await untilProbe(lab.worker, 'ready', 503);
  },
  heal: (lab) => lab.broker.endMemoryAlarm(),
});

fault(15, 'the disk of the broker is full', {
  readiness: 'drops',
  breaks: 0,
  inject: async (lab) => {
    await lab.broker.startDiskAlarm();
    await untilProbe(lab.worker, 'ready', 503);
  },
  heal: (lab) => lab.broker.endDiskAlarm(),
});
