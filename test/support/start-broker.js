import { findBroker } from '../../dist/cli/find-broker.js';

/** Starts one broker for all end-to-end tests; `broker-client.ts` and `broker-control.ts` find it by these. */
export default async function startBroker() {
  const broker = await findBroker((line) => console.log(`broker: ${line}`));
  console.log(`broker: ${broker.description}`);
  process.env.BROKER_URL = broker.url;
  if (broker.control) process.env.BROKER_CONTROL = JSON.stringify(broker.control);
  globalThis.onnxmqTestBroker = broker;
}
