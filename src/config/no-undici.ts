// Since Node 22 `node:http` has getters for the classes of WebSocket. An `import` of it as an ES module reads all that is
// enumerable, and so loads undici: 6 MB and 40 ms, for what nothing here uses. They still answer who asks for them.
const http = process.getBuiltinModule('node:http');
for (const name of ['WebSocket', 'CloseEvent', 'MessageEvent'])
  if (name in http) Object.defineProperty(http, name, { enumerable: false });
