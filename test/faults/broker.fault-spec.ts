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
