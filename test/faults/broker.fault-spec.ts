import { untilProbe } from '../support/probes.js';
import { fault } from './fault.js';

/** The worker is back so soon that who looks now and then may not have seen it not ready. */
fault(7, 'the broker closes all connections', {
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

/**
 * A broker that is short of something blocks whoever publishes next, the load as well: the worker is only blocked if it
 * still has answers to give.
 */
const SLOW_WORK = { PREPROCESS_IO_DELAY_MS: '2000' };

fault(14, 'the broker is short of memory', {
  env: SLOW_WORK,
  readiness: 'drops',
  breaks: 0,
  inject: async (lab) => {
    await lab.broker.startMemoryAlarm();
    await untilProbe(lab.worker, 'ready', 503);
  },
  heal: (lab) => lab.broker.endMemoryAlarm(),
});

fault(15, 'the disk of the broker is full', {
  env: SLOW_WORK,
  readiness: 'drops',
  breaks: 0,
  inject: async (lab) => {
    await lab.broker.startDiskAlarm();
    await untilProbe(lab.worker, 'ready', 503);
  },
  heal: (lab) => lab.broker.endDiskAlarm(),
});
