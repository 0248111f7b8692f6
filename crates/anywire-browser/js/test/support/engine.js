// The full build in another engine than Node's. A module is run once in a process; a script, as often as there are
// engines.

import { bundle } from '../../bundle.mjs';

const script = await bundle('test/support/rooms.js', 'anywire-full');

/** What rooms.js exports, in an engine whose global object is this. */
export function load(engine = globalThis) {
  return new Function('self', `${script}\nreturn exported;`)(engine);
}
