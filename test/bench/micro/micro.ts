/** `npm run bench:micro`: what small parts cost, one at a time. For what a message costs, see `npm run bench`. */
import { measureBatcher } from './batcher.micro.js';
import { measureCodec } from './codec.micro.js';

console.log(`  Node ${process.version}; medians of 15 repeats, least to most in brackets`);
await measureCodec();
await measureBatcher();
