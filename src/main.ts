import './early-end.js';
import './config/v8-flags.js';
import './config/no-undici.js';

// A static import would be loaded, with all that it imports, before the first line above runs: a third of a second.
await import('./start.js');
