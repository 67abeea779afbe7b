/** Stops what `start-broker.js` started. */
export default async function stopBroker() {
  await globalThis.onnxmqTestBroker?.stop();
}
