import { fault } from './fault.js';

fault(29, 'the node that leads the request queue is killed', {
  nodes: 3,
  breaks: 2,
  inject: async (lab) => {
    const leader = await lab.cluster.leaderOf(lab.queue);
    await leader.kill();
    await leader.start();
  },
});

fault(30, 'the node that leads the request queue is cut off from the two others', {
  nodes: 3,
  breaks: 2,
  inject: async (lab) => {
    const leader = await lab.cluster.leaderOf(lab.queue);
    await lab.cluster.isolate(leader);
    await lab.cluster.heal(leader);
  },
});

fault(31, 'each node of the cluster is restarted in order, one after the other', {
  nodes: 3,
  breaks: 3,
  inject: async ({ nodes, cluster, queue, load }) => {
    for (const node of nodes) {
      await node.stop();
      await node.start();
      await cluster.untilWhole(queue, load.resultQueue);
    }
  },
});
